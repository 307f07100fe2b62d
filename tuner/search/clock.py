"""The time that a log tells, which nobody moves while a driver runs."""

from __future__ import annotations

import time

#: Goes on while a machine sleeps, where the system has such a clock.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SteadyClock:
    """Seconds since the epoch: what the machine's clock said at the beginning, and what has passed since.

    With a clock that is set, or jumps, meanwhile, trials would seem to have taken hours or less than nothing, and a
    killed driver to have used up the time budget.
    """

    def __init__(self) -> None:
        self._began = time.time() - time.clock_gettime(_STEADY)

    def __call__(self) -> float:
        """Return the time now."""
        return self._began + time.clock_gettime(_STEADY)
