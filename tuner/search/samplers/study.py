"""What Optuna's samplers share: a study that is built from what the log says, and a fresh sampler for each proposal."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import partial
from typing import ClassVar

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from tuner.facts.records import Goal, Origin
from tuner.journal.pareto import pareto_ranks
from tuner.search.distributions import distribution_of, suggest, to_optuna
from tuner.search.samplers.sampler import Begun, Choose, Outcome, Question, Result, Sampler

optuna.logging.set_verbosity(optuna.logging.WARNING)


class StudySampler(Sampler):
    """Learns by an Optuna sampler; random until ``startup`` results are known.

    Attributes:
        study: Every trial that the log names, beside the failed ones that proposals were drawn with, which no sampler
            heeds.
        numbers: The search's number of a trial to the study's.
    """

    #: Whether this sampler learns from trials that were stopped.
    heeds_stopped = True

    #: How many results the study is thinned to whenever it holds twice as many; None keeps them all.
    bound: ClassVar[int | None] = None

    def __init__(self, question: Question, startup: int) -> None:
        self._question = question
        self.study = self._fresh_study()
        self.numbers: dict[int, int] = {}
        self._startup = startup
        self._told = 0
        self._held = 0  # results in the study

    def fresh(self, seed: int) -> BaseSampler:
        """Return the Optuna sampler of one proposal."""
        raise NotImplementedError

    @property
    def origin(self) -> Origin:
        """Where the next configuration comes from."""
        return Origin.SAMPLER if self._told >= self._startup else Origin.RANDOM

    def begin(self, begun: Begun) -> None:
        """Put a running trial into the study."""
        params = {key: to_optuna(domain, value) for key, (domain, value) in begun.choices.items()}
        distributions: dict[str, BaseDistribution] = {
            key: distribution_of(domain) for key, (domain, _) in begun.choices.items()
        }
        self.numbers[begun.n] = len(self.study.get_trials(deepcopy=False))
        self.study.add_trial(create_trial(state=TrialState.RUNNING, params=params, distributions=distributions))

    def finish(self, result: Result) -> None:
        """Tell Optuna the truth: a trial that was stopped is pruned at its last rung.

        Optuna ranks pruned trials by one metric. With several a stopped one has no value: what it would have taken to
        its end, and where its other metrics would be, nobody knows. It breaks a constraint instead, the more the sooner
        it was stopped, and so ranks below all that completed and above those that did not come as far.
        """
        number = self.numbers[result.n]
        match result.outcome:
            case Outcome.COMPLETED:
                assert result.value is not None
                self.study.tell(number, [result.value, *result.further])
                self._learned()
            case Outcome.STOPPED:
                frozen = self.study.get_trials(deepcopy=False)[number]
                trial = optuna.Trial(self.study, frozen._trial_id)
                if self._question.further:
                    trial.set_constraint("stopped", 1 / result.epoch)
                elif result.value is not None:
                    trial.report(result.value, step=result.epoch)
                self.study.tell(number, state=TrialState.PRUNED)
                if self.heeds_stopped:
                    self._learned()
            case Outcome.FAILED:
                self.study.tell(number, state=TrialState.FAIL)

    def _learned(self) -> None:
        self._told += 1
        self._held += 1
        if self.bound is not None and self._held >= 2 * self.bound:
            self._thin(self.bound)

    def _thin(self, count: int) -> None:
        """Go on with a study of ``count`` results, the better half of them the best, the others spread evenly.

        What a proposal costs grows with the study. Of the many that are not among the best, a sample says as well
        where bad configurations lie. The order stays, and so do the trials that run.
        """
        trials = self.study.get_trials(deepcopy=False)
        results = [trial for trial in trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]
        ranked = self._by_fronts(results) if self._question.further else sorted(results, key=self._merit)
        best, others = ranked[: count // 2], ranked[count // 2 :]
        spread = [others[place * len(others) // (count - len(best))] for place in range(count - len(best))]
        kept = {trial.number for trial in best + spread}
        running = {number: n for n, number in self.numbers.items() if trials[number].state is TrialState.RUNNING}
        self.study = self._fresh_study()
        self.numbers.clear()
        for trial in trials:
            if trial.number in running:
                self.numbers[running[trial.number]] = len(self.study.get_trials(deepcopy=False))
            elif trial.number not in kept:
                continue
            self.study.add_trial(trial)
        self._held = count

    def _fresh_study(self) -> optuna.Study:
        return optuna.create_study(directions=[goal.value for goal in self._question.goals])

    def _by_fronts(self, results: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """Return results of several metrics, the best first: by front, stopped ones behind; of equals the newest."""
        newest = results[::-1]
        completed = [trial for trial in newest if trial.state is TrialState.COMPLETE]
        fronts = pareto_ranks([trial.values for trial in completed], self._question.goals)
        stopped = [trial for trial in newest if trial.state is TrialState.PRUNED]
        return [
            *(completed[place] for place in np.argsort(fronts, kind="stable")),
            *sorted(stopped, key=lambda trial: trial.constraints["stopped"]),
        ]

    def _merit(self, trial: FrozenTrial) -> tuple[int, float, float]:
        """Return what sorts the best first, as Optuna does: what completed by its value, then by rung and value."""
        sign = -1.0 if self._question.goal is Goal.MAXIMIZE else 1.0
        if trial.value is not None and trial.state is TrialState.COMPLETE:
            return 0, 0.0, sign * trial.value
        last = trial.last_step
        return (1, -last, sign * trial.intermediate_values[last]) if last is not None else (2, 0.0, 0.0)

    def draws(self, n: int) -> Generator[Choose]:
        """Yield choices of one sampler after the other asking; the trials of the asking are failed."""
        seed = self._question.seed_of(n)
        self.study.sampler = RandomSampler(seed) if self.origin is Origin.RANDOM else self.fresh(seed)
        while True:
            trial = self.study.ask()
            try:
                yield partial(suggest, trial)
            finally:
                self.study.tell(trial, state=TrialState.FAIL)
