"""Counts and times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime


def counted(count: int, noun: str) -> str:
    """Return ``1 epoch`` or ``3 epochs``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def spelled_time(seconds: float) -> str:
    """Return ``1h02m`` or ``2m05s``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s"


def moment(seconds: float) -> str:
    """Return a time since the epoch as ``2026-01-31 18:00:00 UTC``."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
