"""Rows of a leaderboard as text for programs and documents: JSON, CSV, Markdown."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from tuner.facts.printable import printable
from tuner.facts.records import LEADERBOARD_COLUMNS
from tuner.leaderboard.info import SearchInfo

Row = Mapping[str, Any]

_SHARES = frozenset(column.name for column in LEADERBOARD_COLUMNS if column.unit == "share")

#: A cell that begins with one of these is a formula to a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_record(info: SearchInfo, rows: Sequence[Row]) -> dict[str, Any]:
    """Return what every reading command prints as JSON: the trials under the names of the Parquet file."""
    return {
        "version": 1,
        "search": info.name,
        **info.metrics_to_json(),
        "trials": [{name: _plain(value) for name, value in row.items()} for row in rows],
    }


def to_json(info: SearchInfo, rows: Sequence[Row]) -> str:
    """Return the rows as one JSON object; see ``to_record``."""
    return json.dumps(to_record(info, rows), indent=2, allow_nan=False) + "\n"


def to_csv(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """Return CSV with a header; an empty cell is null, and a text that a spreadsheet would run gets an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_text(name) for name in columns])
    writer.writerows([_text(_plain(row[name])) for name in columns] for row in rows)
    return out.getvalue()


def to_markdown(info: SearchInfo, columns: Sequence[str], rows: Sequence[Row]) -> str:
    """Return a Markdown table, numbers to the right, rounded for reading."""
    lines = [[_escaped(name) for name in columns]]
    lines.append(["---:" if is_number_column(name, rows) else "---" for name in columns])
    lines += [[_escaped(cell(info, name, row[name])) for name in columns] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def spelled(value: object) -> str:
    """Return a value as people read it in a table: four significant digits, whole seconds, nothing for null."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M:%S")
    return printable(str(value))


def cell(info: SearchInfo, name: str, value: object) -> str:
    """Return the value of a column as people read it: shares, and a score that is one, with four decimals."""
    share = name in _SHARES or (name == "score" and info.metric in _SHARES)
    return f"{value:.4f}" if share and isinstance(value, float) else spelled(value)


def is_number_column(name: str, rows: Sequence[Row]) -> bool:
    """Return whether a column holds numbers, which stand to the right."""
    return all(isinstance(row[name], int | float | None) and not isinstance(row[name], bool) for row in rows)


FORMATS: Mapping[str, Callable[[SearchInfo, Sequence[str], Sequence[Row]], str]] = {
    "json": lambda info, columns, rows: to_json(info, rows),
    "csv": lambda info, columns, rows: to_csv(columns, rows),
    "md": to_markdown,
}


def _plain(value: Any) -> Any:
    """Return what JSON can hold: a time in ISO 8601, null for what is not finite."""
    if isinstance(value, datetime):
        return value.isoformat()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _text(value: Any) -> Any:
    """Return what neither a terminal nor a spreadsheet would obey."""
    if not isinstance(value, str):
        return value
    return printable(f"'{value}" if value.startswith(_FORMULA) else value)


def _escaped(text: str) -> str:
    return printable(text).replace("\\", "\\\\").replace("|", "\\|")
