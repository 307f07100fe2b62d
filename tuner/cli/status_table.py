"""The searches of a results folder, for ``tuner status`` without a name: a row each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuner.facts.errors import ResultsDamagedError, UsageError
from tuner.facts.printable import printable
from tuner.facts.words import moment
from tuner.leaderboard.read import list_searches
from tuner.leaderboard.status import Status, status_of

_HEAD = ("search", "state", "trials", "best", "last change")
_GAP = "  "

#: Why the last driver let go, in a word or two.
_STATES = {
    "trials": "finished",
    "exhausted": "finished",
    "time_budget": "out of time",
    "epoch_budget": "out of epochs",
    "gpu_hours": "out of GPU hours",
    "min_improvement": "little to gain",
    "aborted": "aborted",
    "stopped": "stopped",
    "paused": "paused",
    "SIGINT": "interrupted",
    "SIGTERM": "interrupted",
}


@dataclass(frozen=True)
class Row:
    """One search.

    Attributes:
        name: Its folder's, by which commands are told it.
        status: How far it is; None where that cannot be read.
        error: Why it cannot; None where it can.
    """

    name: str
    status: Status | None = None
    error: UsageError | ResultsDamagedError | None = None

    @property
    def live(self) -> bool:
        """Whether a process runs it."""
        return self.status is not None and self.status.live

    @property
    def cells(self) -> tuple[str, ...]:
        """Return what stands under each word of the head."""
        status = self.status
        if status is None:
            return (printable(self.name), "damaged" if isinstance(self.error, ResultsDamagedError) else "not begun")
        best = "" if status.best_score is None else f"{status.info.metric} {status.best_score:.4g}"
        last = "" if status.last_event_at is None else moment(status.last_event_at)
        return (printable(self.name), _state(status), f"{status.ended:,}/{status.trials:,}", printable(best), last)

    def to_json(self) -> Mapping[str, Any]:
        """Return it as ``--json`` prints it: what is said of the search alone, or its error."""
        if self.status is not None:
            record = {**self.status.to_json(), "search": self.name}
            del record["version"]
            return record
        assert self.error is not None
        return {"search": self.name, "error": {"code": int(self.error.code), "message": str(self.error)}}


def rows_of(results: Path) -> list[Row]:
    """Return the searches directly below a folder, by name.

    Raises:
        StorageError: The object storage fails.
    """
    return [_row(folder) for folder in list_searches(results)]


def table(rows: Sequence[Row]) -> list[str]:
    """Return the lines of the table."""
    lines = [_HEAD, *(row.cells for row in rows)]
    widths = [max(len(cells[column]) for cells in lines if column < len(cells)) for column in range(len(_HEAD))]
    return [
        _GAP.join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=False)).rstrip() for cells in lines
    ]


def _row(folder: Path) -> Row:
    try:
        return Row(folder.name, status_of(folder))
    except (UsageError, ResultsDamagedError) as error:  # the others are shown all the same
        return Row(folder.name, error=error)


def _state(status: Status) -> str:
    if status.live:
        return "running"
    return "interrupted" if status.reason is None else _STATES.get(status.reason, printable(status.reason))
