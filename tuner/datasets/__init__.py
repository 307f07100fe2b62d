"""Data sets: found or downloaded, decoded once per machine into arrays that trials map, split with a seed."""
