"""The order of a search's completed trials, which the leaderboard, the driver and the sampler share."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tuner.facts.configs import config_hash
from tuner.facts.records import Goal, State
from tuner.journal.history import Trial


class Place(NamedTuple):
    """A completed trial's place in the order.

    Attributes:
        shaky: Whether another run of its configuration has diverged.
        loss: Its score, negative where a larger one is better.
        number: The trial's.
        score: The metric at its best epoch.
        config: Its configuration.
        config_hash: Equal for equal configurations, whatever their seed.
    """

    shaky: bool
    loss: float
    number: int
    score: float
    config: Mapping[str, Any]
    config_hash: str


class Ranking:
    """Completed trials, the best first: by score, ties by number.

    Those of a configuration of which another run diverged come after all others: who trains it again may diverge too.
    """

    def __init__(self, goal: Goal, trials: Iterable[Trial] = ()) -> None:
        """Args: trials: to begin with; those that have not ended say nothing."""
        self._goal = goal
        self._places: list[Place] = []
        self._completed: set[str] = set()  # configurations
        self._diverged: set[str] = set()
        for trial in trials:
            self.ended(trial)

    def ended(self, trial: Trial) -> None:
        """Take in a trial."""
        if trial.state is State.DIVERGED:
            self._shake(config_hash(trial.ask.config))
            return
        report = trial.best(self._goal) if trial.state is State.COMPLETED else None
        if report is not None:
            same = config_hash(trial.ask.config)
            self._completed.add(same)
            loss = -report.score if self._goal is Goal.MAXIMIZE else report.score
            place = Place(same in self._diverged, loss, trial.number, report.score, trial.ask.config, same)
            insort(self._places, place)

    def first(self, count: int | None = None) -> list[Place]:
        """Return the best places, so many or all."""
        return self._places[:count]

    def distinct(self, count: int) -> list[Place]:
        """Return the best place of each configuration, so many of these."""
        found: dict[str, Place] = {}
        for place in self._places:
            if len(found) == count:
                break
            found.setdefault(place.config_hash, place)
        return list(found.values())

    @property
    def best(self) -> Place | None:
        """The best place; None before any trial has completed."""
        return self._places[0] if self._places else None

    def _shake(self, same: str) -> None:
        if same in self._completed and same not in self._diverged:
            shaken = (place._replace(shaky=place.shaky or place.config_hash == same) for place in self._places)
            self._places = sorted(shaken)
        self._diverged.add(same)
