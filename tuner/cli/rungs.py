"""What a search's rungs are worth, in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuner.leaderboard.rung_correlation import RungCorrelation

#: Rungs of a sentence; median, which may stop a trial at any epoch, has many.
_MOST = 6


def rung_sentence(rungs: Sequence[RungCorrelation]) -> str:
    """Return how far each rung ranks as the end does; an empty text where too few trials have completed."""
    known = [rung for rung in rungs if rung.known is not None]
    if not known:
        return ""
    said = ", ".join(f"at epoch {rung.epoch} {_spelled(rung)}" for rung in known[:_MOST])
    more = len(known) - _MOST
    return f"rank correlation with the final score: {said}" + (f", and {more} epochs more" if more > 0 else "")


def rung_warning(rungs: Sequence[RungCorrelation]) -> str:
    """Return what to do about the first rung that stopped trials and is a poor judge; an empty text where none is."""
    from tuner.leaderboard.rung_correlation import LOW

    for rung in rungs:
        if rung.known is not None and rung.known < LOW and rung.stopped:
            return (
                f"warning: epoch {rung.epoch} is a poor judge of the end (a rank correlation below {LOW}), so "
                "that good trials may have been stopped there; a larger scheduler.grace_period stops later"
            )
    return ""


def _spelled(rung: RungCorrelation) -> str:
    """Return the correlation over all that completed, that over those that no rung stops, and how many this one did."""
    groups = {"trials": rung.completed, "that no rung stops": rung.exempt}
    said = "; ".join(
        f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f}, {found.trials:,} {name})"
        for name, found in groups.items()
        if found is not None and found.value is not None
    )
    return f"{said.removesuffix(')')}; it stopped {f'{rung.stopped:,}' if rung.stopped else 'none'})"
