"""A search whose space changed while it lived: each stage has a proposer of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tuner.journal.events import Ask, Event
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
    """

    first: int
    space: Space
    change: Change


class Stages:
    """A proposer that goes through the stages: a function of the log before the ask, and of the stages' spaces.

    Trials of earlier stages are told to a later one's sampler as far as they lie in its space. The others are not: a
    sampler would take them for configurations that it can propose.
    """

    def __init__(self, stages: Sequence[Stage], proposer_of: Callable[[Space], Proposer]) -> None:
        """Args: stages: in order, at least one; proposer_of: Returns a fresh proposer over a space."""
        self._stages = tuple(stages)
        self._proposers = [proposer_of(stage.space) for stage in stages]
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
        for index, (proposer, told) in enumerate(zip(self._proposers, self._told, strict=True)):
            if isinstance(event, Ask):
                translated = self._translated(event, index)
                if translated is None:
                    proposer.pass_over()
                else:
                    told.add(event.n)
                    proposer.observe(translated)
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
        config = ask.config
        defaults: dict[str, Any] = {}
        for stage in self._stages[origin + 1 : index + 1]:
            config = stage.change.names(config)
            defaults = {**stage.change.names(defaults), **stage.change.defaults}
        last = self._stages[index]
        translated = replace(last.change, renamed={}, defaults=defaults).translated(config, last.space)
        return None if translated is None else replace(ask, config=translated)
