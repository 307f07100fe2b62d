"""What commands ask of the driver of a search, and how they wait for its answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

#: Seconds for which a command waits: a driver looks every few seconds, ends its trials, writes its last leaderboard.
_PATIENCE_SECONDS = 90.0
_LOOK_SECONDS = 0.5


def waited(ended: Callable[[], bool]) -> bool:
    """Return whether something came to be while the command waited for it."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not ended():
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_SECONDS)
    return True


def answered(folder: Path, name: str) -> bool:
    """Wait until a driver has taken a request away, or has ended; returns whether the log has taken it in.

    Args:
        folder: The search's.
        name: Of the request.
    """
    from tuner.journal.history import History
    from tuner.journal.lock import is_held
    from tuner.journal.log import read_events
    from tuner.study.request_files import is_there

    waited(lambda: not is_there(folder, name) or not is_held(folder))
    return name in History(read_events(folder)).requests
