"""Asynchronous successive halving over all trials."""

from __future__ import annotations

from typing import ClassVar

from tuner.facts.records import Decision, Goal
from tuner.journal.events import Event, Rung
from tuner.search.schedulers.halving import Halving
from tuner.space.searchfile import Scheduler as Settings


class Asha:
    """One bracket of successive halving; see ``Halving``."""

    name: ClassVar[str] = "asha"

    def __init__(self, settings: Settings, goal: Goal) -> None:
        (bracket,) = settings.brackets
        self._halving = Halving(bracket.rungs, settings.reduction_factor, goal)

    def observe(self, event: Event) -> None:
        """Remember decisions at rungs."""
        if isinstance(event, Rung):
            self._halving.observe(event)

    def judge(self, n: int, epoch: int, value: float) -> Decision | None:
        """Compare a value with those at the same rung; None where no rung is."""
        return self._halving.judge(epoch, value)
