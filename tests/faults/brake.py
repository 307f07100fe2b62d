"""A brake on searches of the formula: they come as far as a test wants and wait, however late the test looks."""

from __future__ import annotations

from pathlib import Path

from tests.faults.formula import trained
from tests.study.searches import SearchProcess

#: What beside reports counts as trained: an epoch of each worker whose driver was killed, and one to spare.
_SPARE = 3


def hold(place: Path, more: int = 0) -> None:
    """Let the trials of the search in a folder train so many epochs more, and then wait; called before it starts."""
    written = place / "limit.new"
    written.write_text(str(trained(place) + more))
    written.replace(place / "limit")  # never half of a number


def release(place: Path) -> None:
    """Let them train to the end."""
    (place / "limit").unlink()


def advance(running: SearchProcess, reports: int) -> None:
    """Let a search that is held make so many reports more, wait for them, and hold it before it makes many others.

    A trial that breaks, at most one for each report, trains an epoch that it does not report.
    """
    wanted = running.epochs() + reports
    hold(running.folder, 2 * reports + _SPARE)
    running.until_epochs(wanted)
