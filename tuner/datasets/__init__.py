"""Images: found or downloaded, decoded once per machine into arrays that trials map, split for training and validation."""
