"""Rung levels of successive halving, in exact integers."""

from __future__ import annotations


def default_grace_period(max_epochs: int) -> int:
    """Return the first rung where a file names none: a ninth of the budget, at least one epoch.

    Regularization pays off late, so one epoch, the usual default, stops the wrong trials.
    """
    return max(1, max_epochs // 9)


def rung_levels(grace_period: int, reduction_factor: int, max_epochs: int) -> tuple[int, ...]:
    """Return the epochs at which trials are compared, ascending, all below ``max_epochs``.

    Args:
        grace_period: First rung, in epochs, at least 1.
        reduction_factor: Factor between rungs, an integer of at least 2.
        max_epochs: Budget of a trial in epochs; a trial that reaches it has completed and is not judged.

    Raises:
        ValueError: A grace period below 1 or a reduction factor below 2.
    """
    if grace_period < 1:
        raise ValueError(f"grace_period must be at least 1, not {grace_period}")
    if reduction_factor < 2:
        raise ValueError(f"reduction_factor must be at least 2, not {reduction_factor}")
    levels = []
    level = grace_period
    while level < max_epochs:
        levels.append(level)
        level *= reduction_factor
    return tuple(levels)
