"""Searches replayed by a virtual clock over curves that are known."""
