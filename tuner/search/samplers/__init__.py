"""Samplers, a file for each: what proposes the next configuration."""
