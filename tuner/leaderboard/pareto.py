"""Pareto fronts: which trials no other beats in everything."""

from __future__ import annotations

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
    ranks = np.zeros(len(losses), dtype=np.int64)
    left = np.lexsort(losses.T[::-1])  # none is dominated by a later one
    rank = 0
    while len(left):
        rank += 1
        ranks[left[_front(losses[left])]] = rank
        left = left[ranks[left] == 0]
    return ranks


def _front(losses: Any) -> Any:
    """Return the positions of the points that no other dominates; points in lexicographic order."""
    found = np.arange(len(losses))
    place = 0
    while place < len(found):
        point, others = losses[found[place]], losses[found]
        found = found[~(np.all(others >= point, axis=1) & np.any(others > point, axis=1))]
        place += 1
    return found
