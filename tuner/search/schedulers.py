"""Schedulers by name: which trials are worth further epochs.

A scheduler hears the rung decisions of the log, in order, and nothing else; it is asked only about epochs that the
log has not judged.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Protocol

from tuner.facts.records import Decision, Goal
from tuner.facts.rungs import rung_levels
from tuner.journal.events import Rung
from tuner.space.searchfile import Scheduler as Settings


class Scheduler(Protocol):
    """Judges trials at rungs."""

    def observe(self, rung: Rung) -> None:
        """Take in a decision from the log."""

    def judge(self, epoch: int, value: float) -> Decision | None:
        """Return what to do with a trial whose metric at ``epoch`` is ``value``; None where no rung is."""


class Asha:
    """Asynchronous successive halving, the stopping variant.

    Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning". A trial at a rung
    goes on if it is among the best 1/reduction_factor of the values seen there, its own included, rounded up: the
    first value at a rung always goes on, and equals go on together.
    """

    def __init__(self, settings: Settings, goal: Goal) -> None:
        assert settings.grace_period is not None and settings.max_epochs is not None
        self._factor = settings.reduction_factor
        self._sign = -1.0 if goal is Goal.MAXIMIZE else 1.0
        self._levels = frozenset(rung_levels(settings.grace_period, settings.reduction_factor, settings.max_epochs))
        self._values: dict[int, list[float]] = defaultdict(list)  # of each rung, the best first, maxima negated

    def observe(self, rung: Rung) -> None:
        """Remember a value at a rung."""
        insort(self._values[rung.epoch], self._sign * rung.value)

    def judge(self, epoch: int, value: float) -> Decision | None:
        """Compare a value with those at the same rung; None where no rung is."""
        if epoch not in self._levels:
            return None
        values = self._values[epoch]
        better = bisect_left(values, self._sign * value)
        places = -(-(len(values) + 1) // self._factor)
        return Decision.CONTINUE if better < places else Decision.STOP


class RunAll:
    """No stopping: every trial gets its whole budget."""

    def __init__(self, settings: Settings, goal: Goal) -> None:
        del settings, goal

    def observe(self, rung: Rung) -> None:
        """Nothing to remember."""

    def judge(self, epoch: int, value: float) -> None:
        """No epoch is a rung."""


#: Name in the search file to scheduler.
SCHEDULERS: Mapping[str, Callable[[Settings, Goal], Scheduler]] = {"asha": Asha, "none": RunAll}
