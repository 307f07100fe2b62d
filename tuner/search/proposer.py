"""Which configuration comes next: a function of the seed, the number and the log before the ask.

The proposer holds an Optuna study that it builds from the log's events alone, so that a resumed search, or a test
that replays a log, proposes what the running one did.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import TrialState, create_trial

from tuner.facts.errors import UsageError
from tuner.facts.records import Goal, Origin, State
from tuner.facts.seeds import derived_seed
from tuner.journal.events import Ask, End, Epoch, Event, Rung
from tuner.search.distributions import distribution_of, suggest, to_optuna
from tuner.search.samplers import SAMPLERS, STARTUP_TRIALS
from tuner.space.domains import Domain
from tuner.space.space import Space

#: How often a sampler may propose what may not run before a configuration is drawn from what is left.
_PATIENCE = 100
_RANDOM_PATIENCE = 10_000


@dataclass(frozen=True)
class Proposal:
    """A configuration and where it came from."""

    config: dict[str, Any]
    origin: Origin


class Proposer:
    """Proposes configurations and learns from the log what became of them."""

    def __init__(
        self, space: Space, *, algorithm: str, seed: int, goal: Goal, points: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        """Args: points: configurations to begin with; what a partial one leaves open is sampled."""
        self._space = space
        self._algorithm = algorithm
        self._seed = seed
        self._goal = goal
        self._points = points
        self._size = space.size()
        self._seen: set[str] = set()
        self._study = optuna.create_study(direction=goal.value)
        self._trials: dict[int, int] = {}  # the search's number to the study's
        self._best: dict[int, float] = {}
        self._worst: float | None = None
        self._unscored: list[int] = []
        self._told = 0

    @property
    def exhausted(self) -> bool:
        """Whether every configuration of a finite space has been proposed."""
        return self._size is not None and len(self._seen) >= self._size

    def observe(self, event: Event) -> None:
        """Take in the log's next event that counts."""
        match event:
            case Ask():
                self._begin(event)
            case Epoch():
                self._note_score(event)
            case Rung():
                frozen = self._study.get_trials(deepcopy=False)[self._trials[event.n]]
                optuna.Trial(self._study, frozen._trial_id).report(event.value, step=event.epoch)
            case End():
                self._finish(event)

    def propose(self, n: int) -> Proposal:
        """Return the configuration of trial ``n``; it keeps every condition and constraint.

        Raises:
            UsageError: No configuration that keeps the constraints was found.
        """
        seed = derived_seed(self._seed, n)
        point = self._points[n] if n < len(self._points) else {}
        startup = self._told < STARTUP_TRIALS
        sampler = SAMPLERS["random" if startup else self._algorithm](seed)
        config = self._sample(sampler, point, _PATIENCE)
        origin = Origin.RANDOM if startup or self._algorithm == "random" else Origin.SAMPLER
        if config is None:
            config, origin = self._last_resort(seed, point), Origin.RANDOM
        if point and point.items() <= config.items():
            origin = Origin.POINT
        return Proposal(config, origin)

    def _sample(
        self, sampler: optuna.samplers.BaseSampler, point: Mapping[str, Any], patience: int
    ) -> dict[str, Any] | None:
        """Ask until a configuration may run. The scratch trials of the asking are failed, which no sampler heeds."""
        self._study.sampler = sampler
        for _ in range(patience):
            trial = self._study.ask()

            def choose(key: str, domain: Domain, trial: optuna.Trial = trial) -> Any:
                value = point.get(key.partition("@")[0], _OPEN)
                return value if value is not _OPEN and domain.contains(value) else suggest(trial, key, domain)

            config = self._space.configure(choose)
            self._study.tell(trial, state=TrialState.FAIL)
            if self._space.allows(config) and (self._size is None or _identity(config) not in self._seen):
                return config
        return None

    def _last_resort(self, seed: int, point: Mapping[str, Any]) -> dict[str, Any]:
        if self._size is not None:
            left = [config for config in self._space.configurations() if _identity(config) not in self._seen]
            return random.Random(seed).choice(left)
        config = self._sample(SAMPLERS["random"](seed), point, _RANDOM_PATIENCE)
        if config is None:
            raise UsageError(f"no configuration that keeps 'require' was found in {_RANDOM_PATIENCE} random draws")
        return config

    def _begin(self, ask: Ask) -> None:
        params: dict[str, Any] = {}
        distributions: dict[str, optuna.distributions.BaseDistribution] = {}

        def retrace(key: str, domain: Domain) -> Any:
            value = ask.config[key.partition("@")[0]]
            params[key] = to_optuna(domain, value)
            distributions[key] = distribution_of(domain)
            return value

        config = self._space.configure(retrace)
        self._seen.add(_identity(config))
        self._trials[ask.n] = len(self._study.get_trials(deepcopy=False))
        self._study.add_trial(create_trial(state=TrialState.RUNNING, params=params, distributions=distributions))

    def _note_score(self, event: Epoch) -> None:
        if event.n not in self._best or self._goal.better(event.score, self._best[event.n]):
            self._best[event.n] = event.score
        if self._worst is None or self._goal.better(self._worst, event.score):
            self._worst = event.score

    def _finish(self, end: End) -> None:
        """Tell Optuna the truth: what completed has its best score, what was stopped is pruned at its rung.

        A configuration that diverged or ran out of memory is bad, not missing: it has the worst score seen so far.
        An infrastructure's failure says nothing about the configuration.
        """
        number = self._trials[end.n]
        match end.state:
            case State.COMPLETED if end.n in self._best:
                self._tell(number, self._best[end.n])
            case State.STOPPED:
                self._tell(number, None)
            case State.DIVERGED | State.OUT_OF_MEMORY:
                self._unscored.append(number)
            case _:
                self._study.tell(number, state=TrialState.FAIL)
        while self._unscored and self._worst is not None:
            self._tell(self._unscored.pop(0), self._worst)

    def _tell(self, number: int, value: float | None) -> None:
        self._study.tell(number, value, state=TrialState.PRUNED if value is None else TrialState.COMPLETE)
        self._told += 1


_OPEN = object()


def _identity(config: Mapping[str, Any]) -> str:
    return json.dumps(config, sort_keys=True)
