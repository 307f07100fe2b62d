"""Bayesian optimization with a Gaussian process."""

from __future__ import annotations

from typing import ClassVar

from optuna.samplers import BaseSampler, GPSampler

from tuner.search.samplers.sampler import Question
from tuner.search.samplers.study import StudySampler
from tuner.search.samplers.tpe import tpe_sampler


class Gp(StudySampler):
    """Proposes where a Gaussian process (Matern 5/2) expects most improvement over the best score so far.

    Jones et al. 1998, "Efficient Global Optimization of Expensive Black-Box Functions". Running trials are integrated
    over, so that trials that run side by side differ. With several metrics there is a process for each, and what is
    expected is the growth of the hypervolume that the results dominate. It learns from trials that completed, and draws
    conditional parameters as tpe does. A proposal fits the process to all results: about a second, and more with each.
    """

    #: Its draws lie close together: what is refused a few times is refused again, and each takes long.
    patience: ClassVar[int] = 5
    heeds_stopped = False

    def __init__(self, question: Question, *, n_startup_trials: int) -> None:
        super().__init__(question, n_startup_trials)

    def fresh(self, seed: int) -> BaseSampler:
        """Return the Optuna sampler of one proposal; it imports torch when it is asked first."""
        return GPSampler(
            seed=seed, n_startup_trials=0, independent_sampler=tpe_sampler(seed), warn_independent_sampling=False
        )
