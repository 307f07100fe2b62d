"""No stopping."""

from __future__ import annotations

from typing import ClassVar

from tuner.facts.records import Goal
from tuner.journal.events import Event
from tuner.space.searchfile import Scheduler as Settings


class RunAll:
    """Every trial gets its whole budget."""

    name: ClassVar[str] = "none"

    def __init__(self, settings: Settings, goal: Goal) -> None:
        del settings, goal

    def observe(self, event: Event) -> None:
        """Nothing to remember."""

    def judge(self, n: int, epoch: int, value: float) -> None:
        """No epoch is a rung."""
