"""What the product is compared with: Optuna by itself, stock Ray Tune, and one epoch for all with the best finished."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
from ray.tune.schedulers import ASHAScheduler, TrialScheduler
from ray.tune.search.optuna import OptunaSearch

from replay.clock import Job
from replay.worlds import World
from tuner.facts.records import Goal
from tuner.facts.seeds import derived_seed
from tuner.search.distributions import distribution_of
from tuner.space.sampling import sample

optuna.logging.set_verbosity(optuna.logging.ERROR)


def _distributions(world: World) -> dict[str, optuna.distributions.BaseDistribution]:
    return {axis.name: distribution_of(axis.domain) for axis in world.axes}


class Optuna:
    """``study.optimize`` at its defaults: TPESampler, MedianPruner; the objective returns its last value.

    A run that diverges raises, so that its trial fails. Hands over ``study.best_trial``.
    """

    def __init__(self, world: World, seed: int) -> None:
        self._world, self._seed = world, seed
        self._study = optuna.create_study(
            direction=world.goal.value,
            sampler=optuna.samplers.TPESampler(seed=seed),
            pruner=optuna.pruners.MedianPruner(),
        )
        self._distributions = _distributions(world)
        self._trials: dict[int, optuna.Trial] = {}
        self.incumbent: Mapping[str, Any] | None = None

    def ask(self) -> Job:
        """Ask the study."""
        trial = self._study.ask(self._distributions)
        self._trials[trial.number] = trial
        config = self._world.space.configure(lambda key, _: trial.params[key])
        return Job(trial.number, config, derived_seed(self._seed, trial.number))

    def tell(self, number: int, epoch: int, value: float | None) -> bool:
        """Report, then ask whether to prune, as in Optuna's examples."""
        trial = self._trials[number]
        if value is None:
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
            return False
        trial.report(value, epoch)
        if trial.should_prune():
            self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            return False
        if epoch == self._world.epochs:
            self._study.tell(trial, value)
            best = self._study.best_trial.params
            self.incumbent = self._world.space.configure(lambda key, _: best[key])
            return False
        return True


class Stock:
    """Ray Tune with OptunaSearch and ASHAScheduler at their defaults, without a cluster.

    Both are told what Ray Tune's controller tells them, in its order: the scheduler hears a result first; the searcher
    hears it where the trial goes on, or that the trial has completed with it. As many trials are suggested as there are
    workers, none ahead (``max_concurrent_trials``). A run that diverges raises; with Ray Tune's default of no
    retries its trial is an error. Hands over ``get_best_result``: of all trials the best last value.
    """

    def __init__(self, world: World, seed: int) -> None:
        np.random.seed(seed)  # the scheduler draws brackets from numpy's global state
        self._world, self._seed = world, seed
        mode = "max" if world.goal is Goal.MAXIMIZE else "min"
        self._sign = 1.0 if mode == "max" else -1.0
        self.searcher = OptunaSearch(_distributions(world), metric=world.metric, mode=mode, seed=seed)
        self.scheduler = ASHAScheduler(metric=world.metric, mode=mode, max_t=world.epochs)
        self._configs: list[Mapping[str, Any]] = []
        self._last: list[float] = []

    def ask(self) -> Job:
        """Ask the searcher."""
        number = len(self._configs)
        suggested = self.searcher.suggest(str(number))
        config = self._world.space.configure(lambda key, _: suggested[key])
        self._configs.append(config)
        self._last.append(-math.inf)
        self.scheduler.on_trial_add(None, SimpleNamespace(trial_id=str(number)))
        return Job(number, config, derived_seed(self._seed, number))

    def tell(self, number: int, epoch: int, value: float | None) -> bool:
        """Do what TuneController does with a result or an error of a trial."""
        trial = SimpleNamespace(trial_id=str(number))
        if value is None:
            self.scheduler.on_trial_error(None, trial)
            self.searcher.on_trial_complete(trial.trial_id, error=True)
            return False
        result = {self._world.metric: value, "training_iteration": epoch}
        goes_on = self.scheduler.on_trial_result(None, trial, result) != TrialScheduler.STOP
        self._last[number] = self._sign * value
        if goes_on:
            self.searcher.on_trial_result(trial.trial_id, result)
        else:
            self.scheduler.on_trial_complete(None, trial, result)
            self.searcher.on_trial_complete(trial.trial_id, result=result)
        return goes_on

    @property
    def incumbent(self) -> Mapping[str, Any] | None:
        """The configuration with the best last value, the first of equals."""
        best = max(self._last, default=-math.inf)
        return None if best == -math.inf else self._configs[self._last.index(best)]


class OneEpochTopK:
    """Half of the budget for one epoch of random configurations; the best of them are then trained to the end.

    As many are finished as the other half pays for. Hands over the finished trial with the best epoch, and before any
    has finished the best after one epoch.
    """

    def __init__(self, world: World, seed: int, budget: int) -> None:
        self._world, self._seed = world, seed
        self._random = random.Random(seed)
        self._wide = max(1, budget // 2)
        self._deep = (budget - self._wide) // (world.epochs - 1)
        self._sign = 1.0 if world.goal is Goal.MAXIMIZE else -1.0
        self._configs: list[Mapping[str, Any]] = []
        self._scores: dict[int, float] = {}  # the best so far, larger is better
        self._heard = 0
        self._chosen: list[int] | None = None
        self._first: tuple[float, Mapping[str, Any]] | None = None
        self._best: tuple[float, Mapping[str, Any]] | None = None

    def ask(self) -> Job | None:
        """Draw a configuration, or, once all have had their epoch, go on with the best that is left."""
        number = len(self._configs)
        if number < self._wide:
            config = sample(self._world.space, self._random)
            assert config is not None
            self._configs.append(config)
            return Job(number, config, derived_seed(self._seed, number))
        if self._heard < self._wide:
            return None
        if self._chosen is None:
            self._chosen = sorted(self._scores, key=lambda number: -self._scores[number])[: self._deep]
        if not self._chosen:
            return None
        number = self._chosen.pop(0)
        return Job(number, self._configs[number], derived_seed(self._seed, number), after=1)

    def tell(self, number: int, epoch: int, value: float | None) -> bool:
        """Note a value."""
        self._heard += epoch == 1
        if value is None:
            return False
        score = max(self._sign * value, self._scores.get(number, -math.inf))
        self._scores[number] = score
        found = score, self._configs[number]
        if epoch == 1 and (self._first is None or score > self._first[0]):
            self._first = found
        if epoch == self._world.epochs and (self._best is None or score > self._best[0]):
            self._best = found
        return epoch > 1

    @property
    def incumbent(self) -> Mapping[str, Any] | None:
        """The best finished configuration, or the best after one epoch."""
        found = self._best or self._first
        return None if found is None else found[1]
