"""Hyperband: brackets of successive halving that stop trials at different epochs first."""

from __future__ import annotations

from typing import ClassVar

from tuner.facts.records import Decision, Goal
from tuner.facts.rungs import bracket_of
from tuner.journal.events import Event, Rung
from tuner.search.schedulers.halving import Halving
from tuner.space.searchfile import Scheduler as Settings


class Hyperband:
    """Asynchronous Hyperband.

    Li et al. 2018, "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization", for brackets and their
    shares of the trials; Li et al. 2020 for halving within each without waiting. A trial's bracket follows from its
    number, and it is compared with trials of its bracket alone.
    """

    name: ClassVar[str] = "hyperband"

    def __init__(self, settings: Settings, goal: Goal) -> None:
        self._brackets = settings.brackets
        self._halvings = [Halving(bracket.rungs, settings.reduction_factor, goal) for bracket in self._brackets]

    def observe(self, event: Event) -> None:
        """Remember decisions at rungs."""
        if isinstance(event, Rung):
            self._of(event.n).observe(event)

    def judge(self, n: int, epoch: int, value: float) -> Decision | None:
        """Compare a value with those at the same rung of the same bracket; None where no rung is."""
        return self._of(n).judge(epoch, value)

    def _of(self, n: int) -> Halving:
        return self._halvings[bracket_of(n, self._brackets)]
