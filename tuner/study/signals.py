"""SIGINT and SIGTERM, noted instead of obeyed at once."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from tuner.facts.errors import ExitCode


@contextlib.contextmanager
def noted_signals() -> Iterator[list[signal.Signals]]:
    """Note the first SIGINT or SIGTERM in the yielded list; a second one ends the process at once.

    Outside the main thread, where Python delivers no signals, nothing is noted.
    """
    received: list[signal.Signals] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return

    def note(number: int, frame: FrameType | None) -> None:
        if received:
            os._exit(ExitCode[signal.Signals(number).name])
        received.append(signal.Signals(number))

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
