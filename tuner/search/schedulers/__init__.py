"""Schedulers, a file for each: which trials are worth further epochs."""
