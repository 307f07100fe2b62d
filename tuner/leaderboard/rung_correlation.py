"""Whether rungs rank: how far the values at a rung agree with the final scores of the trials that went on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from tuner.facts.ranks import spearman
from tuner.facts.records import Decision, Goal, State
from tuner.facts.rungs import Bracket, runs_whole
from tuner.journal.history import History, Trial

#: Fewer trials say nothing: with nine, the interval of a correlation of 0.5 goes from -0.29 to 0.88.
FEWEST = 10

#: Below this a rung is a poor judge: of 27 trials with normal scores, the best is in the best third at a rung that
#: correlates by 0.5 in three cases of four, and by 0.3 in little more than half.
LOW = 0.5

_TWO_SIDED = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation over some trials.

    Attributes:
        trials: Over how many.
        value: From -1 to 1; None for fewer than ``FEWEST`` trials, and where all values or all scores are equal.
        low: Lower end of its 95 % interval; None with ``value``.
        high: Upper end.
    """

    trials: int
    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class RungCorrelation:
    """How far a rung ranks as the end does.

    Attributes:
        epoch: The rung.
        completed: Over all trials that completed. Those that were stopped have no final score, so that this is the
            correlation among survivors, who are more alike than all trials are.
        exempt: Over those that no rung stops, a fair sample of all; None where there are none. With hyperband its last
            bracket, which has no rungs, is among them.
        stopped: How many trials it stopped, or would have if they had not been exempt.
    """

    epoch: int
    completed: Correlation
    exempt: Correlation | None = None
    stopped: int = 0

    @property
    def known(self) -> float | None:
        """The correlation over ``exempt`` where enough of them have completed, otherwise that over all; or None."""
        if self.exempt is not None and self.exempt.value is not None:
            return self.exempt.value
        return self.completed.value


def rung_correlations(
    history: History, goal: Goal, exempt: float = 0, brackets: Sequence[Bracket] = ()
) -> tuple[RungCorrelation, ...]:
    """Return each rung's correlation between the value at it and the final score, rungs ascending.

    A rung is an epoch at which some trial was judged; the final score is the best of a trial's epochs, as ``score`` of
    the leaderboard is.

    Args:
        history: What happened.
        goal: Of the metric.
        exempt: Share of the trials that are exempt from stopping.
        brackets: Over which the scheduler spreads trials; empty where it has none.
    """
    decisions = [rung for trial in history.trials.values() for rung in trial.rungs]
    rungs = sorted({rung.epoch for rung in decisions})
    stopped = Counter(rung.epoch for rung in decisions if rung.decision is not Decision.CONTINUE)
    scores = {
        trial.number: best.score
        for trial in history.trials.values()
        if trial.state is State.COMPLETED and (best := trial.best(goal)) is not None
    }
    completed = [history.trials[number] for number in scores]
    whole = [trial for trial in completed if runs_whole(trial.number, exempt, brackets)]
    some = exempt > 0 or any(not bracket.rungs for bracket in brackets)

    def at(epoch: int) -> RungCorrelation:
        exempt = _over(whole, epoch, scores) if some else None
        return RungCorrelation(epoch, _over(completed, epoch, scores), exempt, stopped[epoch])

    return tuple(map(at, rungs))


def _over(trials: Collection[Trial], epoch: int, scores: dict[int, float]) -> Correlation:
    pairs = [(trial.epochs[epoch].score, scores[trial.number]) for trial in trials if epoch in trial.epochs]
    if len(pairs) < FEWEST or (value := spearman(pairs)) is None:
        return Correlation(len(pairs))
    return Correlation(len(pairs), value, *_interval(value, len(pairs)))


def _interval(value: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a rank correlation.

    Fisher's transformation with the variance of Bonett and Wright 2000, "Sample size requirements for estimating
    Pearson, Kendall and Spearman correlations". A perfect order, which would have no width, counts as one with two
    neighbours exchanged.
    """
    largest = 1 - 12 / (count * (count**2 - 1))
    bounded = min(largest, max(-largest, value))
    half = _TWO_SIDED * math.sqrt((1 + bounded**2 / 2) / (count - 3))
    low, high = math.tanh(math.atanh(bounded) - half), math.tanh(math.atanh(bounded) + half)
    return min(value, low), max(value, high)
