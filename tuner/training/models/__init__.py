"""The networks, from images to logits."""
