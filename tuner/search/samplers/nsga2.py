"""A genetic algorithm with elitist generations."""

from __future__ import annotations

from optuna.samplers import NSGAIISampler

from tuner.search.samplers.sampler import Begun, Question
from tuner.search.samplers.study import StudySampler


class Nsga2(StudySampler):
    """Crosses and mutates the best configurations of the generations before.

    Deb et al. 2002, "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II"; the best ``population_size`` of
    parents and children are the next parents: with one metric by it, with several by Pareto front and then by how far
    apart they are. A generation is full when that many of its trials
    have completed: those that were stopped are neither counted nor parents. The first is random, and so are
    conditional parameters.
    """

    heeds_stopped = False

    def __init__(
        self, question: Question, *, population_size: int, mutation_prob: float | None, crossover_prob: float
    ) -> None:
        super().__init__(question, population_size)
        self._settings = {
            "population_size": population_size,
            "mutation_prob": mutation_prob,
            "crossover_prob": crossover_prob,
        }

    def fresh(self, seed: int) -> NSGAIISampler:
        """Return the Optuna sampler of one proposal."""
        return NSGAIISampler(seed=seed, **self._settings)

    def begin(self, begun: Begun) -> None:
        """Note a trial's generation, and the parents of that generation, as they are when the trial is in the log.

        Optuna notes both in the study when it is first asked; a resumed search is not asked again, and would choose
        parents from among later results.
        """
        super().begin(begun)
        sampler: NSGAIISampler = self.fresh(0)
        trial = self.study.get_trials(deepcopy=False)[self.numbers[begun.n]]
        sampler.get_parent_population(self.study, sampler.get_trial_generation(self.study, trial))
