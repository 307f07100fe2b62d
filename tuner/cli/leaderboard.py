"""``tuner leaderboard``: the best trials of a search, also while it runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.cli.options import add_search, whole_number
from tuner.facts.errors import ExitCode, UsageError
from tuner.facts.printable import printable

if TYPE_CHECKING:
    from tuner.leaderboard.info import SearchInfo

_FORMATS = ("table", "json", "csv", "md")
_EXAMPLES = """examples:
  tuner leaderboard --top 3
  tuner leaderboard cifar10 --where "mixup_alpha > 0.2 and state == 'completed'"
  tuner leaderboard cifar10 --sort train_seconds --columns rank,score,train_seconds,lr
  tuner leaderboard cifar10 --top 0 --format csv > trials.csv
  tuner leaderboard cifar10 --pareto

--where takes comparisons, and, or, not, in, + - * /. A comparison with a missing value is not true;
`momentum == null` asks for missing ones. Times are texts in UTC: started_at > '2026-01-31T18:00'.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLES
    add_search(parser)
    parser.add_argument(
        "--top",
        metavar="K",
        type=whole_number(0),
        help="rows to show; 0 for all (default: 10, all of them with --pareto)",
    )
    parser.add_argument(
        "--pareto",
        action="store_true",
        help="of a search with several metrics, the trials that no other beats in all of them",
    )
    parser.add_argument(
        "--sort",
        metavar="COLUMN",
        help="order by a column, its better end first where it has one,"
        " else the smallest; missing values last (default: by rank)",
    )
    order = parser.add_mutually_exclusive_group()
    order.add_argument("--descending", action="store_true", default=None, help="with --sort: the largest first")
    order.add_argument("--ascending", action="store_false", dest="descending", help="with --sort: the smallest first")
    parser.add_argument("--where", metavar="EXPR", help="show only trials for which a condition is true")
    parser.add_argument("--columns", metavar="A,B,...", help="the columns to show, in this order")
    parser.add_argument("--format", choices=_FORMATS, default=None, help="default: table")
    parser.add_argument("--json", action="store_true", help="the same as --format json")


def run(args: argparse.Namespace) -> int:
    """Print the leaderboard; returns the exit code."""
    from tuner.leaderboard.read import find_search
    from tuner.storage.copies import results_folder

    if args.json and args.format not in (None, "json"):
        raise UsageError(f"--json and --format {args.format} contradict each other")
    if args.descending is not None and args.sort is None:
        raise UsageError("--ascending and --descending need --sort COLUMN")
    with results_folder(args.results, args.name) as results:
        print_leaderboard(
            find_search(results, args.name),
            top=(0 if args.pareto else 10) if args.top is None else args.top,
            pareto=args.pareto,
            where=args.where,
            sort=args.sort,
            descending=args.descending,
            columns=None if args.columns is None else [name.strip() for name in args.columns.split(",")],
            format="json" if args.json else args.format or "table",
        )
    return ExitCode.OK


def print_leaderboard(
    folder: Path,
    *,
    top: int = 10,
    pareto: bool = False,
    where: str | None = None,
    sort: str | None = None,
    descending: bool | None = None,
    columns: Sequence[str] | None = None,
    format: str = "table",
) -> None:
    """Print the best trials on stdout and a summary on stderr; ``tuner search`` ends with it as well.

    Args:
        folder: The search's results folder.
        top: How many rows; 0 for all.
        pareto: The first Pareto front alone.
        where: A condition, as ``--where`` takes it.
        sort: A column; None orders by rank.
        descending: Largest first; None takes the column's better end.
        columns: Names of the columns to show; None takes all, or for a table those that tell the rows apart.
        format: table, json, csv or md.

    Raises:
        UsageError: An unknown column, a condition that cannot be read, or a front of one metric.
        ResultsDamagedError: A file is not what was written.
    """
    from tuner.cli.table import print_table
    from tuner.leaderboard import query
    from tuner.leaderboard.formats import FORMATS
    from tuner.leaderboard.source import leaderboard_of
    from tuner.leaderboard.where import unknown_column

    source = leaderboard_of(folder)
    names = source.file.schema_arrow.names
    for name in columns or ():
        if name not in names:
            raise unknown_column(name, names)
    if pareto:
        where = _on_the_front(source.info, where)
    found = query.top(source, top, where=where, sort=sort, descending=descending)
    rows = (found.table if columns is None else found.table.select(list(columns))).to_pylist()
    if format != "table":
        sys.stdout.write(FORMATS[format](source.info, names if columns is None else columns, rows))
        return
    _say(_summary(source))
    if rows:
        notes = print_table(source.info, rows, columns)
        _say(*notes)
        if found.matching > len(rows):
            _say(f"{found.matching - len(rows):,} more trials; --top 0 shows all of them")
    elif source.file.metadata.num_rows:
        _say("no trial matches the condition")


def _summary(source: Any) -> str:
    """Return how many trials are in which state, in one line."""
    states = source.read(["state"]).column("state").value_counts().to_pylist()
    if not states:
        return f"{source.info.name}: no trials yet; 'tuner search' fills the leaderboard while it runs"
    counted = ", ".join(f"{item['counts']:,} {item['values']}" for item in states)
    first, *further = (f"{metric.name}, to {metric.goal}" for metric in source.info.metrics)
    return f"{source.info.name}: {counted}; score is {first}" + "".join(f"; also {metric}" for metric in further)


def _on_the_front(info: SearchInfo, where: str | None) -> str:
    """Return the condition that a trial is on the first front, and fulfils another."""
    from tuner.leaderboard.where import parse_where

    if not info.further:
        raise UsageError(f"{info.name} has one metric, {info.metric}; a Pareto front needs several")
    if where is None:
        return "pareto_rank == 1"
    parse_where(where)  # so that an error shows it as it was typed
    return f"pareto_rank == 1 and ({where})"


def _say(*lines: str) -> None:
    for line in lines:
        print(printable(line), file=sys.stderr)
