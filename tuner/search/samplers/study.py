"""What Optuna's samplers share: a study that is built from what the log says, and a fresh sampler for each proposal."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import TrialState, create_trial

from tuner.facts.records import Origin
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

    def __init__(self, question: Question, startup: int) -> None:
        self.study = optuna.create_study(directions=[goal.value for goal in question.goals])
        self.numbers: dict[int, int] = {}
        self._question = question
        self._startup = startup
        self._told = 0

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
                self._told += 1
            case Outcome.STOPPED:
                frozen = self.study.get_trials(deepcopy=False)[number]
                trial = optuna.Trial(self.study, frozen._trial_id)
                if self._question.further:
                    trial.set_constraint("stopped", 1 / result.epoch)
                elif result.value is not None:
                    trial.report(result.value, step=result.epoch)
                self.study.tell(number, state=TrialState.PRUNED)
                self._told += self.heeds_stopped
            case Outcome.FAILED:
                self.study.tell(number, state=TrialState.FAIL)

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
