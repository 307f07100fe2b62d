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


def number(value: float | None, sign: str = "") -> str:
    """Return a number, or a dash where there is none; ``sign`` is "+" for a difference."""
    if value is None:
        return "-"
    form = ".4f" if value == 0 or 0.001 <= abs(value) < 1000 else ".3g"
    return format(value, sign + form)


def p_value(difference: Mapping[str, float | None]) -> str:
    """Return the corrected p value of a difference."""
    p = difference["p_adjusted"]
    return "-" if p is None else format(p, ".2g")


def spread(score: Mapping[str, float | None]) -> str:
    """Return a mean and its standard deviation."""
    return f"{number(score['mean'])} ± {number(score['std'])}"


def interval(difference: Mapping[str, float | None]) -> str:
    """Return the ends of an interval."""
    low, high = difference["low"], difference["high"]
    return "-" if low is None else f"{number(low, '+')} {number(high, '+')}"
