"""How much the next trial is expected to improve on the best, judged by the scores so far."""

from __future__ import annotations

from bisect import insort

from tuner.facts.records import Goal, State
from tuner.journal.history import History, Trial

#: Completed trials before anything is estimated. Of fewer, those that were stopped, whose scores are not known, would
#: matter: the gap at rank r has the weight r / 2^r.
MIN_COMPLETED = 10

#: Ranks that count: those after them have less than 10^-15 of the weight, at any number of trials.
_RANKS = 60


class Improvement:
    """An upper estimate of the expected improvement E[max(0, y - best)] of one more trial.

    Jones, Schonlau and Welch (1998) end a search where this falls short; theirs comes from a Gaussian process over one
    fixed set of ranges, and this from the order statistics of the scores alone. Taken in random order, the trial in
    the middle of n improved on the best of those before it by

        I_s = 1/s sum over r of (y_(r) - y_(r+1)) r C(n - r, s - 1) / C(n, s),  s = n/2 rounded up,

    averaged over all orders (y_(r) is the r-th best: exactly one of the best r has to be among the first s, and to be
    the last of them). That is unbiased for the improvement of trial s, whatever the distribution of the scores. The
    expected best of n trials is concave in n, so that the next trial improves by less: as trials of one distribution
    go, the estimate is two to six times too large, and a search ends late rather than early. A sampler that has
    learned makes later trials better than earlier ones, which it does not know of.

    Trials that were stopped, diverged or ran out of memory count as worse than all that completed.
    """

    def __init__(self, goal: Goal) -> None:
        self._sign = -1.0 if goal is Goal.MAXIMIZE else 1.0
        self._goal = goal
        self._scores: list[float] = []  # of completed trials, the best first, smaller is better
        self._ended = 0

    @classmethod
    def of(cls, history: History, goal: Goal) -> Improvement:
        """Return what the trials of a log say."""
        improvement = cls(goal)
        for trial in history.trials.values():
            improvement.ended(trial)
        return improvement

    def ended(self, trial: Trial) -> None:
        """Take in a trial; one that has not ended, or failed, says nothing."""
        if trial.end is None or trial.state is State.FAILED:
            return
        self._ended += 1
        best = trial.best(self._goal) if trial.state is State.COMPLETED else None
        if best is not None:
            insort(self._scores, self._sign * best.score)

    @property
    def expected(self) -> float | None:
        """The estimate in the metric's unit; None before ``MIN_COMPLETED`` trials have completed."""
        n, s = self._ended, (self._ended + 1) // 2
        if len(self._scores) < MIN_COMPLETED:
            return None
        total, share = 0.0, s / n  # C(n - r, s - 1) / C(n, s), which halves about from r to r + 1
        for r in range(1, min(len(self._scores), n - s + 2, _RANKS + 1)):
            total += (self._scores[r] - self._scores[r - 1]) * r * share
            share *= (n - r - s + 1) / (n - r)
        return total / s
