"""Differences between pairs of runs: Student's paired t test, Holm's correction, and intervals that agree with both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import mean, stdev

from scipy.special import stdtr, stdtrit

from tuner.facts.records import Goal

#: The share of families of comparisons in which chance alone shows anything.
ALPHA = 0.05

#: A spread that is smaller, as a share of the mean, comes from rounding: 0.3 - 0.2 is not 0.2 - 0.1.
_ROUNDING = 1e-6


class Verdict(StrEnum):
    """What a difference shows."""

    BETTER = "better"
    WORSE = "worse"
    NOT_SHOWN = "not shown"


@dataclass(frozen=True)
class Difference:
    """A mean difference over pairs.

    Attributes:
        pairs: How many pairs there are.
        mean: Of the differences; None without a pair.
        low: Lower end of the interval; None where nothing is known of the spread.
        high: Upper end.
        confidence: Of the interval: 0.95 alone, more within a family (see ``differences``).
        p_value: Two-sided, of Student's t with ``pairs - 1`` degrees of freedom; None where the spread is unknown.
        p_adjusted: The same after Holm's correction; below 0.05 exactly where the interval lies on one side of 0.
        verdict: What it shows.
    """

    pairs: int
    mean: float | None
    low: float | None
    high: float | None
    confidence: float | None
    p_value: float | None
    p_adjusted: float | None
    verdict: Verdict


def differences(family: Sequence[Sequence[float]], goal: Goal) -> list[Difference]:
    """Judge several lists of paired differences at once, each in its own order of pairs.

    Holm 1979: with p values in ascending order, the i-th of K is multiplied by K - i + 1, and none counts as smaller
    than the one before it. The interval of the i-th has the confidence 1 - 0.05 / (K - i + 1), and from the first one
    on that shows nothing all have that one's, so that an interval holds 0 exactly where nothing is shown.

    Where pairs are fewer than two, or all differences are the same number, nothing is known of the spread and nothing
    is shown; such a list still counts as one of the K.

    Args:
        family: Differences, one list for each comparison.
        goal: Which sign is better.
    """
    tests = [_t_test(values) for values in family]
    order = sorted((place for place, p in enumerate(tests) if p is not None), key=lambda place: tests[place] or 0.0)
    judged = {place: _unknown(family[place]) for place in range(len(family)) if tests[place] is None}
    adjusted, level, stopped = 0.0, ALPHA, False
    for rank, place in enumerate(order):
        p_value = tests[place]
        assert p_value is not None
        times = len(family) - rank
        adjusted = min(1.0, max(adjusted, times * p_value))
        if not stopped:
            level = ALPHA / times
            stopped = adjusted >= ALPHA
        judged[place] = _known(family[place], p_value, adjusted, level, goal)
    return [judged[place] for place in range(len(family))]


def mean_interval(values: Sequence[float], alpha: float = ALPHA) -> tuple[float, float]:
    """Return Student's interval of a mean at confidence ``1 - alpha``; at least two values."""
    half = float(stdtrit(len(values) - 1, 1 - alpha / 2)) * stdev(values) / math.sqrt(len(values))
    return mean(values) - half, mean(values) + half


def _t_test(values: Sequence[float]) -> float | None:
    """Return the two-sided p value of a mean of 0; None where the spread is unknown."""
    if len(values) < 2:
        return None
    deviation, centre = stdev(values), mean(values)
    if deviation <= _ROUNDING * abs(centre):
        return None
    t = centre / deviation * math.sqrt(len(values))
    return 2 * float(stdtr(len(values) - 1, -abs(t)))


def _known(values: Sequence[float], p_value: float, adjusted: float, level: float, goal: Goal) -> Difference:
    low, high = mean_interval(values, level)
    verdict = Verdict.NOT_SHOWN
    if adjusted < ALPHA:
        verdict = Verdict.BETTER if goal.better(mean(values), 0.0) else Verdict.WORSE
    return Difference(len(values), mean(values), low, high, 1 - level, p_value, adjusted, verdict)


def _unknown(values: Sequence[float]) -> Difference:
    centre = mean(values) if values else None
    return Difference(len(values), centre, None, None, None, None, None, Verdict.NOT_SHOWN)
