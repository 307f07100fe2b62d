"""The median stopping rule."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median
from typing import ClassVar

from tuner.facts.records import Decision, Goal, State
from tuner.journal.events import End, Epoch, Event
from tuner.space.searchfile import Scheduler as Settings


@dataclass
class _Curve:
    """What a trial has reported so far: its best value, the sum of all, and its running average by epoch."""

    best: float
    total: float = 0.0
    averages: dict[int, float] = field(default_factory=dict)


class Median:
    """Stops a trial whose best value so far is worse than the median of what completed trials averaged until then.

    Golovin et al. 2017, "Google Vizier: A Service for Black-Box Optimization", section 3.2.1. Every epoch from the
    grace period on is judged but the last. The first trials go on, and so do equals.

    What it judges by is in the log's reports, so that only a stop is written down: a line for each epoch of each trial,
    on disk before the trial goes on, would say what the reports before it say.
    """

    name: ClassVar[str] = "median"

    def __init__(self, settings: Settings, goal: Goal) -> None:
        assert settings.grace_period is not None and settings.max_epochs is not None
        self._judged = range(settings.grace_period, settings.max_epochs)
        self._startup: int = settings.options["n_startup_trials"]
        self._fewest: int = settings.options["n_min_trials"]
        self._goal = goal
        self._curves: dict[int, _Curve] = {}
        self._completed = 0
        self._averages: dict[int, list[float]] = defaultdict(list)  # of completed trials by epoch, ascending

    def observe(self, event: Event) -> None:
        """Follow the curves; remember those of trials that completed."""
        match event:
            case Epoch():
                curve = self._curves.setdefault(event.n, _Curve(event.score))
                curve.best = self._better(curve.best, event.score)
                curve.total += event.score
                curve.averages[event.epoch] = curve.total / (len(curve.averages) + 1)
            case End():
                ended = self._curves.pop(event.n, None)
                if event.state is State.COMPLETED and ended is not None:
                    self._completed += 1
                    for epoch, average in ended.averages.items():
                        insort(self._averages[epoch], average)

    def judge(self, n: int, epoch: int, value: float) -> Decision | None:
        """Return STOP, or None for a trial that goes on."""
        others = self._averages[epoch]
        if epoch not in self._judged or self._completed < self._startup or len(others) < self._fewest:
            return None
        best = self._better(self._curves[n].best, value) if n in self._curves else value
        return Decision.STOP if self._goal.better(median(others), best) else None

    def _better(self, first: float, second: float) -> float:
        return second if self._goal.better(second, first) else first
