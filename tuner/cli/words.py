"""Counts and times as people read them."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """Return ``1 epoch`` or ``3 epochs``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def spelled_time(seconds: float) -> str:
    """Return ``1h02m`` or ``2m05s``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s"
