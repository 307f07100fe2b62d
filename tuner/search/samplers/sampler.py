"""What a sampler is: a function of the seed, a trial's number and what became of the trials before it.

The proposer tells a sampler of every trial that the log names, in the log's order; a sampler that was told the same
proposes the same, so that none needs to be saved.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

from tuner.facts.records import Goal, Origin
from tuner.facts.seeds import derived_seed
from tuner.space.domains import Domain
from tuner.space.space import Space

#: Chooses a value for the key of an alternative (see ``Parameter.key``) from its domain.
Choose = Callable[[str, Domain], Any]


@dataclass(frozen=True)
class Question:
    """What a search asks of its sampler.

    Attributes:
        space: What may be proposed.
        seed: Of the search.
        goal: Of its metric; of several, of the first.
        further: The goals of the other metrics.
    """

    space: Space
    seed: int
    goal: Goal
    further: tuple[Goal, ...] = ()

    @property
    def goals(self) -> tuple[Goal, ...]:
        """Return the goal of each metric."""
        return (self.goal, *self.further)

    def seed_of(self, n: int) -> int:
        """Return the seed of the proposal of a trial."""
        return derived_seed(self.seed, n)


@dataclass(frozen=True)
class Begun:
    """A trial that runs now.

    Attributes:
        n: Its number.
        origin: Where its configuration came from.
        choices: Key of each alternative that was chosen from to its domain and value.
    """

    n: int
    origin: Origin
    choices: Mapping[str, tuple[Domain, Any]]


class Outcome(Enum):
    """What became of a trial, as a sampler sees it."""

    COMPLETED = "completed"
    STOPPED = "stopped"
    FAILED = "failed"  # says nothing about the configuration


@dataclass(frozen=True)
class Result:
    """A trial that has ended.

    Attributes:
        n: Its number.
        outcome: What became of it.
        value: Finite: the best score of one that completed, that at ``epoch`` of one that was stopped; None for one
            that failed.
        epoch: The epoch at which it was stopped, otherwise 0.
        further: Of one that completed, its values of the other metrics, where the search has several.
    """

    n: int
    outcome: Outcome
    value: float | None = None
    epoch: int = 0
    further: tuple[float, ...] = ()


class Sampler:
    """Draws configurations one choice at a time. This one hears nothing.

    Attributes:
        patience: How many draws in a row may be refused (a constraint is broken, or a finite space had the
            configuration before) until the proposer gives up on it.
    """

    patience: ClassVar[int] = 100

    @property
    def origin(self) -> Origin:
        """Where the next configuration comes from."""
        return Origin.SAMPLER

    def begin(self, begun: Begun) -> None:
        """Hear that a trial runs."""

    def finish(self, result: Result) -> None:
        """Hear what became of a trial."""

    def draws(self, n: int) -> Generator[Choose]:
        """Yield choices for trial ``n`` until one suits; each is asked for one whole configuration."""
        raise NotImplementedError
