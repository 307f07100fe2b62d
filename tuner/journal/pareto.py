"""Pareto fronts: which trials no other beats in everything."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import numpy as np

from tuner.facts.records import Goal


def pareto_ranks(values: Any, goals: Sequence[Goal]) -> Any:
    """Return the front of each point, an int64 array: 1 where no other dominates it, 2 where only those of 1 do, ...

    A point dominates another that it is nowhere worse than and somewhere better than; equal points share a front.

    Args:
        values: Finite numbers [points, metrics].
        goals: Of each metric.
    """
    losses = np.asarray(values, dtype=np.float64).reshape(-1, len(goals))
    losses = losses * [-1.0 if goal is Goal.MAXIMIZE else 1.0 for goal in goals]
    points, places = np.unique(losses, axis=0, return_inverse=True)  # in lexicographic order
    ranks = _ranks_of_pairs(points) if len(goals) == 2 else _ranks(points)
    return ranks[places.reshape(-1)]


def _ranks(points: Any) -> Any:
    """Return the fronts of different points in lexicographic order, so that none is dominated by a later one.

    A point's front comes after the last of those whose points dominate it.
    """
    ranks = np.zeros(len(points), dtype=np.int64)
    columns = np.ascontiguousarray(points.T[1:])
    for place in range(len(points)):
        dominating = np.ones(place, dtype=bool)
        for column in columns:
            dominating &= column[:place] <= column[place]
        ranks[place] = 1 + ranks[:place].max(where=dominating, initial=0)
    return ranks


def _ranks_of_pairs(points: Any) -> Any:
    """Return the same where there are two metrics.

    Of the points so far, the last one of each front is its best in the second metric, and these rise with the fronts:
    those that dominate a point end where it would be inserted.
    """
    best: list[float] = []
    ranks = np.zeros(len(points), dtype=np.int64)
    for place, value in enumerate(points[:, 1].tolist()):
        front = bisect_right(best, value)
        best[front : front + 1] = [value]
        ranks[place] = front + 1
    return ranks
