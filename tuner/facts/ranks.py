"""Agreement of two orders."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from statistics import StatisticsError, correlation


def spearman(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Return Spearman's rank correlation, from -1 to 1; equals share the mean of their ranks.

    None for fewer than two pairs, and where all values on one side are equal.
    """
    if len(pairs) < 2:
        return None
    first, second = (_ranks(values) for values in zip(*pairs, strict=True))
    try:
        return min(1.0, max(-1.0, correlation(first, second)))
    except StatisticsError:
        return None


def _ranks(values: Sequence[float]) -> list[float]:
    ordered = sorted(values)
    return [(bisect_left(ordered, value) + bisect_right(ordered, value)) / 2 for value in values]
