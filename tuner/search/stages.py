"""A search whose space changed while it lived: each stage has a proposer of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tuner.journal.events import Add, Ask, Event, Respace
from tuner.search.proposer import Proposal, Proposer
from tuner.space.change import Change
from tuner.space.space import Space


@dataclass(frozen=True)
class Stage:
    """One space of a search.

    Attributes:
        first: Number of the first trial that is proposed from it.
        space: What may be proposed.
        change: How it follows from the space before it.
        points: Configurations to begin with, as ``Proposer`` has them.
        warm_points: As there.
        begins: Place of the first of them, as there.
    """

    first: int
    space: Space
    change: Change
    points: Sequence[Mapping[str, Any]] = ()
    warm_points: Sequence[Mapping[str, Any]] = ()
    begins: int = 0


class Stages:
    """A proposer that goes through the stages: a function of the log before the ask, and of the stages' spaces.

    Trials of earlier stages are told to a later one's sampler as far as they lie in its space. The others are not: a
    sampler would take them for configurations that it can propose.
    """

    def __init__(self, stages: Sequence[Stage], proposer_of: Callable[[Stage], Proposer]) -> None:
        """Args: stages: in order, at least one; proposer_of: Returns a fresh proposer of a stage."""
        self._stages = tuple(stages)
        self._proposers = [proposer_of(stage) for stage in stages]
        self._current = 0
        self._told: list[set[int]] = [set() for _ in stages]

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left to propose in the last stage."""
        return self._proposers[-1].exhausted

    @property
    def told(self) -> frozenset[int]:
        """Numbers of the trials that the last stage's sampler has heard of."""
        return frozenset(self._told[-1])

    def observe(self, event: Event) -> None:
        """Take in the log's next event that counts."""
        if isinstance(event, Respace):
            self._current = event.stage
        for index, (proposer, told) in enumerate(zip(self._proposers, self._told, strict=True)):
            if isinstance(event, Ask):
                translated = self._translated(event, index)
                if translated is None:
                    proposer.pass_over(event)
                else:
                    told.add(event.n)
                    proposer.observe(translated)
            elif isinstance(event, Add):
                proposer.observe(replace(event, config=self._named(event.config, self._current, index)))
            elif event.n is None or event.n in told:
                proposer.observe(event)

    def propose(self, n: int) -> Proposal:
        """Return the configuration of trial ``n``; raises as the stage's proposer does."""
        return self._proposers[self._index_of(n)].propose(n)

    def _index_of(self, n: int) -> int:
        return max(index for index, stage in enumerate(self._stages) if stage.first <= n)

    def _translated(self, ask: Ask, index: int) -> Ask | None:
        """Return a proposal as one of a stage; None if it does not lie there, or belongs to a later one."""
        origin = self._index_of(ask.n)
        if origin > index:
            return None
        if origin == index:
            return ask
        config = self._named(ask.config, origin, index)
        defaults: dict[str, Any] = {}
        for stage in self._stages[origin + 1 : index + 1]:
            defaults = {**stage.change.names(defaults), **stage.change.defaults}
        last = self._stages[index]
        translated = replace(last.change, renamed={}, defaults=defaults).translated(config, last.space)
        return None if translated is None else replace(ask, config=translated)

    def _named(self, config: Mapping[str, Any], origin: int, index: int) -> dict[str, Any]:
        """Return a stage's configuration under the names of a later one."""
        named = dict(config)
        for stage in self._stages[origin + 1 : index + 1]:
            named = stage.change.names(named)
        return named
