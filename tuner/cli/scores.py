"""What a model reaches, as tables for people: its scores, each class, who is taken for whom."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tuner.facts.printable import printable

#: Score to how people call it, in the order of the tables.
NAMES: Mapping[str, str] = {
    "accuracy": "accuracy",
    "macro_precision": "macro precision",
    "macro_recall": "macro recall",
    "macro_f1": "macro F1",
    "calibration_error": "calibration error",
    "loss": "cross-entropy (nats)",
    "rmse": "RMSE of probabilities",
}

#: A confusion matrix of more classes than this is no longer looked at, but read from ``--json``.
_MOST_CLASSES = 12


def print_summary(summary: Mapping[str, Mapping[str, float | None]]) -> None:
    """Print the scores of several seeds: mean, standard deviation, and the 95 % interval of the mean."""
    if summary["accuracy"]["std"] is None:
        _print(_table(("", ""), ([NAMES[name], f"{one['mean']:.4f}"] for name, one in summary.items())))
        return
    rows = (
        [NAMES[name], f"{one['mean']:.4f}", f"{one['std']:.4f}", f"{one['low']:.4f} to {one['high']:.4f}"]
        for name, one in summary.items()
    )
    _print(_table(("", "mean", "std", "95 % interval of the mean"), rows))


def print_scores(scores: Mapping[str, Any]) -> None:
    """Print all scores of a model on one set of images, as ``Scores.as_json`` gives them."""
    _print(_table(("", ""), ([words, f"{scores[name]:.4f}"] for name, words in NAMES.items())))
    print()
    headings = ("class", "images", "precision", "recall", "F1")
    rows = (
        [one["name"], f"{one['support']:,}", *(f"{one[name]:.4f}" for name in ("precision", "recall", "f1"))]
        for one in scores["classes"]
    )
    _print(_table(headings, rows))
    names = [one["name"] for one in scores["classes"]]
    if len(names) <= _MOST_CLASSES:
        print("\nimages by true class (rows) and predicted class (columns)")
        _print_confusion(names, scores["confusion_matrix"])


def _print_confusion(names: Sequence[str], counts: Sequence[Sequence[int]]) -> None:
    """Print a confusion matrix; where the names of the classes are too wide for its columns they are numbered."""
    rows = [list(map(str, row)) for row in counts]
    table = _table(("", *names), ([name, *row] for name, row in zip(names, rows, strict=True)))
    if _width(table) > Console().width:
        numbers = range(1, len(names) + 1)
        named = ([f"{number} {name}", *row] for number, name, row in zip(numbers, names, rows, strict=True))
        table = _table(("", *map(str, numbers)), named)
    _print(table)


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold", show_header=any(headings))
    for index, heading in enumerate(headings):
        table.add_column(Text(printable(heading)), justify="right" if index else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table


def _width(table: Table) -> int:
    """Return how many columns of text a table takes."""
    return Console(width=10_000).measure(table).maximum


def _print(table: Table) -> None:
    console = Console(highlight=False, soft_wrap=False)
    console.width = max(
        console.width, _width(table)
    )  # a table that is too wide for the terminal is wrapped by it, whole
    console.print(table)
