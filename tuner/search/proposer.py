"""Which configuration comes next: a function of the seed, the number and the log before the ask.

The proposer tells its sampler what the log says, so that a resumed search, or a test that replays a log, proposes what
the running one did.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tuner.facts.errors import UsageError
from tuner.facts.records import Goal, Metric, Origin, State
from tuner.facts.seeds import derived_seed
from tuner.journal.events import Add, Ask, End, Epoch, Event, Respace, Rung
from tuner.journal.history import Trial
from tuner.journal.objectives import objectives_of
from tuner.search.replicates import Replicates
from tuner.search.samplers.random import Random
from tuner.search.samplers.registry import SAMPLERS
from tuner.search.samplers.sampler import Begun, Outcome, Question, Result, Sampler
from tuner.space.algorithms import defaults_of, runs_at_most
from tuner.space.domains import Domain
from tuner.space.points import pointed
from tuner.space.space import Space

#: How often a configuration is drawn at random where a sampler finds none that may run.
_RANDOM_PATIENCE = 10_000


@dataclass(frozen=True)
class Proposal:
    """A configuration and where it came from."""

    config: dict[str, Any]
    origin: Origin


class Proposer:
    """Proposes configurations and learns from the log what became of them.

    Attributes:
        sampler: Draws them.
    """

    def __init__(
        self,
        space: Space,
        *,
        algorithm: str,
        seed: int,
        goal: Goal,
        further: Sequence[Metric] = (),
        points: Sequence[Mapping[str, Any]] = (),
        warm_points: Sequence[Mapping[str, Any]] = (),
        begins: int = 0,
        options: Mapping[str, Any] | None = None,
        replicates: int = 1,
    ) -> None:
        """Start over an empty log.

        Args:
            space: What may be proposed.
            algorithm: Name of the sampler.
            seed: Of the search.
            goal: Of its metric.
            further: Its other metrics, if it has several.
            points: Configurations to begin with; what a partial one leaves open is sampled.
            warm_points: As ``points``, of earlier searches: after those, every other trial.
            begins: Place of the first of these in the order of proposals, those out of turn not counted.
            options: The sampler's settings; None for their defaults.
            replicates: How often a configuration that leads runs where trials diverge; see ``Replicates``.
        """
        self._space = space
        # An earlier search of the same seed drew at random what this one would: it is to draw something else.
        drawn = derived_seed(seed, json.dumps(list(warm_points))) if warm_points else seed
        self._question = Question(space, drawn, goal, tuple(metric.goal for metric in further))
        settings = defaults_of("search", algorithm) if options is None else options
        self.sampler: Sampler = SAMPLERS[algorithm](self._question, **settings)
        self._metrics = (Metric("score", goal), *further)
        self._points = points
        self._warm_points = warm_points
        self._begins = begins
        self._size = space.size()
        self._seen: set[bytes] = set()
        self._running: dict[int, Trial] = {}
        self._worst: tuple[float, ...] | None = None  # of each metric, so far
        self._unscored: list[int] = []
        self._additions: list[Mapping[str, Any]] = []  # those that wait
        self._out_of_turn = 0  # those that were proposed, and replicates
        self._replicates = Replicates(goal, runs_at_most(algorithm, space.parameters, replicates))

    @property
    def exhausted(self) -> bool:
        """Whether every configuration of a finite space has been proposed, and none waits that was given or leads."""
        if self._size is None or len(self._seen) < self._size:
            return False
        return not self._additions and self._replicates.wanted is None

    def observe(self, event: Event) -> None:
        """Take in the log's next event that counts."""
        match event:
            case Add():
                self._additions.append(event.config)
            case Respace():
                kept = (item for place, item in enumerate(self._additions) if place not in event.dropped)
                self._additions = list(kept)
            case Ask():
                self._begin(event)
            case Epoch():
                self._running[event.n].report(event)
                self._note_worst(event)
            case Rung():
                self._running[event.n].rungs.append(event)
            case End():
                self._finish(event)

    def propose(self, n: int) -> Proposal:
        """Return the configuration of trial ``n``; it keeps every condition and constraint.

        Raises:
            UsageError: No configuration that keeps the constraints was found.
        """
        if self._additions:
            given = self._complete(n, self._additions[0])
            if given is not None:
                return Proposal(given, Origin.POINT)
        place = n - self._begins - self._out_of_turn
        if place >= len(self._points) and (leading := self._replicates.wanted) is not None:
            return Proposal(leading, Origin.REPLICATE)
        point, origin_of_point = self._given(place)
        origin = self.sampler.origin
        config = self._draw(self.sampler, n, point, self.sampler.patience)
        if config is None:
            config, origin = self._last_resort(n, point), Origin.RANDOM
        if point and point.items() <= config.items():
            origin = origin_of_point
        return Proposal(config, origin)

    def _given(self, place: int) -> tuple[Mapping[str, Any], Origin]:
        """Return what a trial begins with, and where that came from; places count from where the points begin."""
        if place < len(self._points):
            return self._points[place], Origin.POINT
        # The trials between them are the sampler's own: an earlier search that misleads is not all that it learns from.
        turn, between = divmod(place - len(self._points), 2)
        is_warm = not between and turn < len(self._warm_points)
        return (self._warm_points[turn] if is_warm else {}), Origin.WARM_START

    def _complete(self, n: int, given: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return a configuration with all that was given, one that is new if there is one; None if none was found.

        Whoever gives a configuration of a finite space again wants it again.
        """
        config = self._draw(self.sampler, n, given, self.sampler.patience, whole=True)
        if config is not None:
            return config
        if self._size is None:
            return self._draw(Random(self._question), n, given, _RANDOM_PATIENCE, whole=True)
        fitting = [config for config in self._space.configurations() if given.items() <= config.items()]
        new = [config for config in fitting if _identity(config) not in self._seen]
        return random.Random(self._question.seed_of(n)).choice(new or fitting) if fitting else None

    def _draw(
        self,
        sampler: Sampler,
        n: int,
        point: Mapping[str, Any],
        patience: int,
        *,
        whole: bool = False,
        again: bool = False,
    ) -> dict[str, Any] | None:
        """Ask until a configuration may run.

        Args:
            sampler: Chooses what the point leaves open.
            n: Number of the trial.
            point: Values that are given.
            patience: How often it is asked.
            whole: Whether all of the point has to be in the configuration.
            again: Whether it may be one that was proposed before.
        """
        with contextlib.closing(sampler.draws(n)) as draws:
            for _, draw in zip(range(patience), draws, strict=False):
                config = self._space.configure(pointed(draw, point))
                new = again or _identity(config) not in self._seen or self._given_in_full(point, config)
                if new and self._space.allows(config) and (not whole or point.items() <= config.items()):
                    return config
        return None

    def _given_in_full(self, point: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
        """Return whether nothing is left to choose in an endless space, so that a repetition was asked for."""
        return self._size is None and all(name in point for name in self._space.searched if name in config)

    def _last_resort(self, n: int, point: Mapping[str, Any]) -> dict[str, Any]:
        if self._size is not None:
            left = [config for config in self._space.configurations() if _identity(config) not in self._seen]
            return random.Random(self._question.seed_of(n)).choice(left)
        draw = partial(self._draw, Random(self._question), n, point, _RANDOM_PATIENCE)
        config = draw() or draw(again=True)  # conditions and constraints may leave a few that are not counted
        if config is None:
            raise UsageError(f"no configuration that keeps 'require' was found in {_RANDOM_PATIENCE} random draws")
        return config

    def pass_over(self, ask: Ask) -> None:
        """Take in that something was proposed, which may lie in another space than this."""
        self._out_of_turn += ask.origin is Origin.REPLICATE
        if self._additions:
            self._additions.pop(0)
            self._out_of_turn += 1

    def _begin(self, ask: Ask) -> None:
        self.pass_over(ask)
        choices: dict[str, tuple[Domain, Any]] = {}

        def retrace(key: str, domain: Domain) -> Any:
            choices[key] = (domain, ask.config[key.partition("@")[0]])
            return choices[key][1]

        self._running[ask.n] = Trial(ask)
        self._replicates.begun(ask)
        config = self._space.configure(retrace)
        self._seen.add(_identity(config))
        self.sampler.begin(Begun(ask.n, ask.origin, choices))

    def _note_worst(self, event: Epoch) -> None:
        """Note the worst of each metric, as an epoch leaves its trial: this epoch's score, and what else there is."""
        further: tuple[float, ...] = ()
        if len(self._metrics) > 1:
            values = objectives_of(self._running[event.n], self._metrics)
            if values is None:
                return
            further = values[1:]
        news = (event.score, *further)
        worse = zip(self._metrics, self._worst or news, news, strict=True)
        self._worst = tuple(new if metric.goal.better(old, new) else old for metric, old, new in worse)

    def _finish(self, end: End) -> None:
        """Tell the sampler the truth: what completed has its best score, what was stopped its value at its last rung.

        A configuration that diverged or ran out of memory is bad, not missing: it has the worst score seen so far.
        An infrastructure's failure says nothing about the configuration.
        """
        trial = self._running.pop(end.n)
        trial.end = end
        self._replicates.ended(trial)
        values = objectives_of(trial, self._metrics)
        match end.state:
            case State.COMPLETED if values is not None:
                self.sampler.finish(_completed(end.n, values))
            case State.STOPPED if trial.rungs:
                rung = trial.rungs[-1]
                self.sampler.finish(Result(end.n, Outcome.STOPPED, rung.value, rung.epoch))
            case State.DIVERGED | State.OUT_OF_MEMORY:
                self._unscored.append(end.n)
            case _:
                self.sampler.finish(Result(end.n, Outcome.FAILED))
        while self._unscored and self._worst is not None:
            self.sampler.finish(_completed(self._unscored.pop(0), self._worst))


def _completed(n: int, values: tuple[float, ...]) -> Result:
    score, *further = values
    return Result(n, Outcome.COMPLETED, score, further=tuple(further))


def _identity(config: Mapping[str, Any]) -> bytes:
    """Return what tells a configuration from others, its seed included where that is searched."""
    return hashlib.blake2b(json.dumps(config, sort_keys=True).encode(), digest_size=12).digest()
