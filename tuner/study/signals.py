"""SIGINT and SIGTERM: before a search runs they end the command, while it runs they are noted."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from tuner.facts.errors import ExitCode

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class CaughtSignals:
    """What to do about SIGINT and SIGTERM.

    Attributes:
        first: The first signal since ``note``, or None. A second one ends the process at once.
    """

    def __init__(self) -> None:
        self.first: signal.Signals | None = None

    def note(self) -> None:
        """Called when the search begins to run, and after Ray has put its own handlers in place."""
        if _can_catch():
            for number in _SIGNALS:
                signal.signal(number, self._noted)

    def _noted(self, number: int, frame: FrameType | None) -> None:
        if self.first is not None:
            os._exit(ExitCode[signal.Signals(number).name])
        self.first = signal.Signals(number)


@contextlib.contextmanager
def caught_signals() -> Iterator[CaughtSignals]:
    """Catch both signals until the end of the block; outside the main thread, where none arrive, catch nothing.

    Until ``note`` is called they raise, so that whatever was begun is cleaned up on the way out.
    """
    if not _can_catch():
        yield CaughtSignals()
        return
    before = {number: signal.signal(number, _raise) for number in _SIGNALS}
    try:
        yield CaughtSignals()
    except SystemExit as ended:
        if ended.code == signal.SIGTERM:  # Ray's own handler, while Ray starts
            raise SystemExit(ExitCode.SIGTERM) from None
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise(number: int, frame: FrameType | None) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(ExitCode.SIGTERM)


def _can_catch() -> bool:
    return threading.current_thread() is threading.main_thread()
