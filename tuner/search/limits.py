"""What ends a search before all its trials are proposed: budgets of time, epochs and GPUs, and little left to gain.

Whichever is reached first ends it. Running trials stay unfinished, and go on with a larger limit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tuner.journal.history import History
from tuner.search.improvement import Improvement

#: Key below ``search`` to its value; None is no limit.
Limits = Mapping[str, float | None]


@dataclass(frozen=True)
class Standing:
    """How far a search is; what its limits count is computed when one of them asks.

    Attributes:
        seconds: Active time of all drivers.
        now: When, in seconds since the epoch.
        history: What happened.
        improvement: The scores so far.
    """

    seconds: float
    now: float
    history: History
    improvement: Improvement

    @property
    def epochs(self) -> int:
        """Reports that count."""
        return self.history.epochs

    @property
    def gpu_hours(self) -> float:
        """GPUs times the time that trials held them."""
        return self.history.gpu_seconds(self.now) / 3600

    @property
    def expected_improvement(self) -> float | None:
        """See ``tuner.search.improvement``; None while too little is known."""
        return self.improvement.expected


#: Name of each limit, which is also the reason of the end, to whether it is reached.
LIMITS: Mapping[str, Callable[[float, Standing], bool]] = {
    "time_budget": lambda most, standing: standing.seconds >= most,
    "epoch_budget": lambda most, standing: standing.epochs >= most,
    "gpu_hours": lambda most, standing: standing.gpu_hours >= most,
    "min_improvement": lambda least, standing: (
        standing.expected_improvement is not None and standing.expected_improvement < least
    ),
}


def reached(limits: Limits, standing: Standing) -> str | None:
    """Return the name of a limit that is reached, the first in the order of the table; None if none is."""
    for name, is_reached in LIMITS.items():
        value = limits.get(name)
        if value is not None and is_reached(value, standing):
            return name
    return None
