"""Rung levels of successive halving, and hyperband's brackets of them, in exact integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: 2^64 over the golden ratio, rounded to odd: its multiples modulo 2^64 are spread evenly (Knuth, TAOCP 3, 6.4).
_GOLDEN = 0x9E3779B97F4A7C15
#: 2^64 times the fraction of the square root of two, rounded to odd. It, the golden ratio and 1 have no integer
#: relation, so that who is exempt says nothing of the bracket (Weyl 1916, on uniform distribution modulo one).
_ROOT_OF_TWO = 0x6A09E667F3BCC909
_WHOLE = 1 << 64


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


@dataclass(frozen=True)
class Bracket:
    """Trials that are compared with each other alone.

    Attributes:
        trials: How many of each sweep over all brackets are in this one.
        rungs: The epochs at which they are compared, ascending; empty where each runs its whole budget.
    """

    trials: int
    rungs: tuple[int, ...]


def hyperband_brackets(grace_period: int, reduction_factor: int, max_epochs: int) -> tuple[Bracket, ...]:
    """Return hyperband's brackets, the one that stops soonest first.

    Li et al. 2018, "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization", algorithm 1: with up to
    S halvings, the bracket of s of them begins with (S + 1) factor^s / (s + 1) trials, rounded up, so that brackets
    cost about the same. Its rungs are the last s of ``rung_levels``; the last bracket stops nothing.

    Args:
        grace_period: First rung of the first bracket, in epochs.
        reduction_factor: Factor between rungs.
        max_epochs: Budget of a trial in epochs.
    """
    levels = rung_levels(grace_period, reduction_factor, max_epochs)
    most = len(levels)
    return tuple(
        Bracket(-(-(most + 1) * reduction_factor**halvings // (halvings + 1)), levels[most - halvings :])
        for halvings in range(most, -1, -1)
    )


def bracket_of(number: int, brackets: Sequence[Bracket]) -> int:
    """Return the index of the bracket of a trial: a function of its number alone.

    Of any trials in a row each bracket has its share to within a few, and none goes along with a pattern of a sampler,
    as taking turns would.
    """
    place = (number + 1) * _GOLDEN % _WHOLE * sum(bracket.trials for bracket in brackets)
    below = 0
    for index, bracket in enumerate(brackets):
        below += bracket.trials
        if place < below * _WHOLE:
            return index
    raise AssertionError("a place is below the sum of all shares")


def is_exempt(number: int, share: float) -> bool:
    """Return whether a trial is exempt from being stopped: a function of its number alone.

    Args:
        number: The trial's.
        share: Of the trials, from 0 to below 1. Of any trials in a row that share is exempt, to within a few.
    """
    return (number + 1) * _ROOT_OF_TWO % _WHOLE < share * _WHOLE


def runs_whole(number: int, share: float, brackets: Sequence[Bracket] = ()) -> bool:
    """Return whether no rung stops a trial, because it is exempt or because its bracket has none.

    Args:
        number: The trial's.
        share: As of ``is_exempt``.
        brackets: Over which trials are spread; empty where the scheduler has none.
    """
    return is_exempt(number, share) or (bool(brackets) and not brackets[bracket_of(number, brackets)].rungs)
