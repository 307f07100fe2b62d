"""Object storage: the objects below a prefix, and the local working copies of what lies there."""
