"""Compared configurations as a table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tuner.cli.table import console_width

_STYLES = {"better": "green", "worse": "red", "earns its place": "green", "does harm": "red"}
_LEFT = ("", "verdict")


def print_comparison(rows: Sequence[Mapping[str, str]]) -> None:
    """Print rows with the same keys, which are the headings, on stdout."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for name in rows[0]:
        table.add_column(Text(name), justify="left" if name in _LEFT else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(text, style=_STYLES.get(text, "")) for text in row.values()))
    Console(highlight=False, width=console_width()).print(table)


def number(value: float | None, form: str = ".4f") -> str:
    """Return a number, or a dash where there is none."""
    return "-" if value is None else format(value, form)


def spread(score: Mapping[str, float | None]) -> str:
    """Return a mean and its standard deviation."""
    return f"{number(score['mean'])} ± {number(score['std'])}"


def interval(difference: Mapping[str, float | None]) -> str:
    """Return the ends of an interval."""
    low, high = difference["low"], difference["high"]
    return "-" if low is None else f"{number(low, '+.4f')} {number(high, '+.4f')}"
