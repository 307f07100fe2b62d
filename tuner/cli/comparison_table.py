"""Compared configurations as a table for people, and what there is to say about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tuner.cli.sentences import wrapped
from tuner.cli.table import console_width
from tuner.facts.printable import printable
from tuner.study.run_results import DECIMALS, spelled_number

Row = Mapping[str, str]

_STYLES = {"better": "green", "worse": "red", "earns its place": "green", "does harm": "red"}
_GAP = 2
_FEW_SEEDS = 5  # from here on Student's intervals are at most 1.5 times as wide as with the spread known


def print_comparison(rows: Sequence[Row], *, left: Sequence[str], less: Sequence[str], seeds: int) -> None:
    """Print rows on stdout, and under them what was left out and what few seeds mean.

    Args:
        rows: With the same keys, which are the headings.
        left: Headings of the columns that stand to the left; numbers stand to the right.
        less: Headings of the columns that a narrow terminal does without, the first to go first.
        seeds: With how many seeds each configuration was trained.
    """
    console = Console(highlight=False, width=console_width())
    names, hidden = _fitting(rows, less, console.width)
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(Text(name), justify="left" if name in left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(row[name], style=_STYLES.get(row[name], "")) for name in names))
    console.width = max(console.width, _width(rows, names))  # what is still too wide is wrapped by the terminal, whole
    console.print(table)
    if hidden:
        print_sentences([f"too narrow to show {', '.join(hidden)}; --json has everything"])
    if seeds < _FEW_SEEDS:
        print_sentences([f"with {seeds} seeds intervals are wide; 5 to 10 are a good number (--seeds)"])


def print_sentences(sentences: Iterable[str]) -> None:
    """Print sentences on stdout, each on lines of its own."""
    width = console_width() or Console().width
    for sentence in sentences:
        print(wrapped(printable(sentence), width))


def p_value(difference: Mapping[str, float | None]) -> str:
    """Return the corrected p value of a difference."""
    p = difference["p_adjusted"]
    return "-" if p is None else format(p, ".2g")


def spread(score: Mapping[str, float | None], decimals: int = DECIMALS) -> str:
    """Return a mean and its standard deviation."""
    return f"{spelled_number(score['mean'], decimals)} ± {spelled_number(score['std'], decimals)}"


def interval(difference: Mapping[str, float | None], decimals: int = DECIMALS) -> str:
    """Return the ends of an interval."""
    if difference["low"] is None:
        return "-"
    return " ".join(spelled_number(difference[end], decimals, "+") for end in ("low", "high"))


def _fitting(rows: Sequence[Row], less: Sequence[str], width: int) -> tuple[list[str], list[str]]:
    """Return the headings of the columns that are shown, and of those for which there is no room."""
    names, hidden = list(rows[0]), []
    for name in less:
        if name in names and _width(rows, names) > width:
            names.remove(name)
            hidden.append(name)
    return names, hidden


def _width(rows: Sequence[Row], names: Sequence[str]) -> int:
    return sum(max(len(name), *(len(row[name]) for row in rows)) + _GAP for name in names) - _GAP
