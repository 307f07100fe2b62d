"""Asynchronous successive halving between trials that have the same rungs."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable

from tuner.facts.records import Decision, Goal
from tuner.journal.events import Rung


class Halving:
    """The stopping variant.

    Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning". A trial at a rung
    goes on if it is among the best 1/reduction_factor of the values seen there, its own included, rounded up: the
    first value at a rung always goes on, and equals go on together.
    """

    def __init__(self, rungs: Iterable[int], reduction_factor: int, goal: Goal) -> None:
        self._rungs = frozenset(rungs)
        self._factor = reduction_factor
        self._sign = -1.0 if goal is Goal.MAXIMIZE else 1.0
        self._values: dict[int, list[float]] = defaultdict(list)  # of each rung, the best first, maxima negated

    def observe(self, rung: Rung) -> None:
        """Remember a value at a rung."""
        insort(self._values[rung.epoch], self._sign * rung.value)

    def judge(self, epoch: int, value: float) -> Decision | None:
        """Compare a value with those at the same rung; None where no rung is."""
        if epoch not in self._rungs:
            return None
        values = self._values[epoch]
        better = bisect_left(values, self._sign * value)
        places = -(-(len(values) + 1) // self._factor)
        return Decision.CONTINUE if better < places else Decision.STOP
