"""Trials as a table for people: what tells them apart in columns, what they share in one line below."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tuner.facts.printable import printable
from tuner.facts.records import State
from tuner.leaderboard.formats import cell, is_number_column, spelled
from tuner.leaderboard.info import SearchInfo
from tuner.leaderboard.schema import column_of

Row = Mapping[str, Any]

_STYLES: Mapping[str, str] = {
    State.RUNNING: "cyan",
    State.INTERRUPTED: "cyan",
    State.COMPLETED: "green",
    State.STOPPED: "yellow",
    State.DIVERGED: "magenta",
    State.OUT_OF_MEMORY: "magenta",
    State.FAILED: "red",
}
_GAP = 2
_NO_LIMIT = 100_000  # a pipe has no width; nothing is left out there


def print_table(info: SearchInfo, rows: Sequence[Row], columns: Sequence[str] | None) -> list[str]:
    """Print rows on stdout: coloured and as wide as the terminal, plain in a pipe.

    Args:
        info: The search.
        rows: At least one, with at least the columns to show.
        columns: What to show; None takes the result and the hyperparameters that differ between the rows.

    Returns:
        Sentences about what was left out.
    """
    console = Console(highlight=False, soft_wrap=False, width=console_width())
    if columns is not None:
        console.print(_table(info, columns, rows))
        return []
    names, hidden = _fitting(info, _telling(info, rows), rows, console.width)
    console.print(_table(info, names, rows))
    shared = {name: rows[0][name] for name in info.hyperparameters if not _differs(name, rows)}
    texts = [f"{printable(name)}={spelled(value)}" for name, value in shared.items() if value is not None]
    if texts:
        console.print(Text(f"same in all rows: {', '.join(texts)}", style="dim"), soft_wrap=True)
    return [f"too wide to show: {', '.join(hidden)} (--columns chooses)"] if hidden else []


def _telling(info: SearchInfo, rows: Sequence[Row]) -> list[str]:
    """Return the columns of the result, then the hyperparameters that differ, in the order of the search file."""
    result = ["rank", "number", "state", "score"]
    if info.further:
        result += [column_of(metric.name) for metric in info.further]
        result.insert(1, "pareto_rank")
    elif info.metric != "val_accuracy" and any(row["val_accuracy"] is not None for row in rows):
        result.append("val_accuracy")
    return [*result, "epochs_run", *(name for name in info.hyperparameters if _differs(name, rows))]


def _differs(name: str, rows: Sequence[Row]) -> bool:
    return any(row[name] != rows[0][name] for row in rows)


def _fitting(info: SearchInfo, names: Sequence[str], rows: Sequence[Row], width: int) -> tuple[list[str], list[str]]:
    """Return the columns that fit side by side, and the others; the first one is always there."""
    shown: list[str] = []
    hidden: list[str] = []
    used = 0
    for name in names:
        used_with = used + _GAP * bool(shown) + max(len(name), *(len(cell(info, name, row[name])) for row in rows))
        if used_with <= width or not shown:
            shown.append(name)
            used = used_with
        else:
            hidden.append(name)
    return shown, hidden


def _table(info: SearchInfo, names: Sequence[str], rows: Sequence[Row]) -> Table:
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
    for name in names:
        justify: Literal["left", "right"] = "right" if is_number_column(name, rows) else "left"
        table.add_column(Text(printable(name)), justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*(_styled(name, cell(info, name, row[name])) for name in names))
    return table


def _styled(name: str, text: str) -> Text:
    return Text(text, style=_STYLES.get(text, "") if name == "state" else "")


def console_width() -> int | None:
    """Return the width for a pipe, whose reader may ask for one in COLUMNS; None lets the terminal say."""
    if sys.stdout.isatty():
        return None
    return int(os.environ["COLUMNS"]) if os.environ.get("COLUMNS", "").isdecimal() else _NO_LIMIT
