"""Samplers by name: each a function of a seed, so that a proposal depends on the log and on nothing else."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

#: Configurations drawn at random before a model-based sampler is asked; Optuna's own default for TPE.
STARTUP_TRIALS = 10

optuna.logging.set_verbosity(optuna.logging.WARNING)


def tpe(seed: int) -> BaseSampler:
    """Return TPE over all parameters at once, conditional ones in groups of their own.

    Running trials count as bad ones (the constant liar), so that trials that run side by side differ.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True, n_startup_trials=0)


def random(seed: int) -> BaseSampler:
    """Return uniform sampling, or log-uniform where a range says ``log``."""
    return RandomSampler(seed=seed)


#: Name in the search file to sampler. Before STARTUP_TRIALS results are known, ``random`` proposes for all of them.
SAMPLERS: Mapping[str, Callable[[int], BaseSampler]] = {"tpe": tpe, "random": random}
