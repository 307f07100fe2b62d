"""The tree-structured Parzen estimator."""

from __future__ import annotations

import warnings
from typing import ClassVar

import optuna
from optuna.samplers import BaseSampler, TPESampler

from tuner.search.samplers.sampler import Question
from tuner.search.samplers.study import StudySampler


class Tpe(StudySampler):
    """Proposes where good configurations are dense and bad ones are not.

    Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization"; each parameter by itself or, ``multivariate``,
    all at once, conditional ones in groups of their own. Running trials count as bad ones (the constant liar), so that
    trials that run side by side differ. A trial that was stopped ranks below all that completed, by its rung and its
    value there. With several metrics (Ozaki et al. 2022, "Multiobjective Tree-Structured Parzen Estimator") good are
    those of the first Pareto fronts. Of a long search it learns from a part, so that a proposal costs the same at ten
    thousand trials as at one thousand.
    """

    bound: ClassVar[int | None] = 500

    def __init__(
        self, question: Question, *, n_startup_trials: int, n_ei_candidates: int, multivariate: bool = False
    ) -> None:
        super().__init__(question, n_startup_trials)
        self._candidates = n_ei_candidates
        self._multivariate = multivariate

    def fresh(self, seed: int) -> BaseSampler:
        """Return the Optuna sampler of one proposal."""
        return tpe_sampler(seed, self._candidates, multivariate=self._multivariate)


def tpe_sampler(seed: int, n_ei_candidates: int = 24, *, multivariate: bool = False) -> BaseSampler:
    """Return Optuna's sampler as a search uses it after its first random trials."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(
            seed=seed,
            multivariate=multivariate,
            group=multivariate,
            constant_liar=True,
            n_startup_trials=0,
            n_ei_candidates=n_ei_candidates,
        )
