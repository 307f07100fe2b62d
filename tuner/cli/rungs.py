"""What a search's rungs are worth, in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuner.leaderboard.rung_correlation import Correlation, RungCorrelation

#: Rungs of a sentence; median, which may stop a trial at any epoch, has many.
_MOST = 6


def rung_sentence(rungs: Sequence[RungCorrelation]) -> str:
    """Return how far each rung ranks as the end does; an empty text where too few trials have completed."""
    known = [(rung.epoch, rung.completed) for rung in rungs if rung.completed.value is not None]
    if not known:
        return ""
    said = ", ".join(f"at epoch {epoch} {_spelled(found)}" for epoch, found in known[:_MOST])
    more = len(known) - _MOST
    return f"rank correlation with the final score: {said}" + (f", and {more} epochs more" if more > 0 else "")


def rung_warning(rungs: Sequence[RungCorrelation]) -> str:
    """Return what to do about the first rung that is a poor judge; an empty text where none is known to be."""
    from tuner.leaderboard.rung_correlation import LOW

    for rung in rungs:
        value = rung.completed.value
        if value is not None and value < LOW:
            return (
                f"warning: epoch {rung.epoch} is a poor judge of the end (a rank correlation below {LOW}), so "
                "that good trials may have been stopped there; a larger scheduler.grace_period stops later"
            )
    return ""


def _spelled(found: Correlation) -> str:
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f}, {found.trials:,} trials)"
