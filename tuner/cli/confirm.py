"""``tuner confirm``: train the winners of a search and the default again, and say whether they are really better."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuner.cli.options import add_comparison, comparison_command, tell_ending, whole_number


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--top", type=whole_number(1), default=3, metavar="K", help="how many trials, by rank (default: 3)"
    )
    add_comparison(parser)


def run(args: argparse.Namespace) -> int:
    """Compare, and print what came of it on stdout; returns the exit code."""
    from tuner.cli.progress import observer
    from tuner.leaderboard.read import find_search
    from tuner.study.confirm import confirm

    folder = find_search(Path(args.results), args.name)
    compared, record = confirm(
        folder, top=args.top, seeds=args.seeds, overrides=args.set, observer=observer(args.progress)
    )
    if record is not None and args.json:
        print(json.dumps(record, indent=2, ensure_ascii=False))
    elif record is not None:
        _print(record)
    tell_ending(compared, comparison_command(args, "confirm", folder.name, "--top", str(args.top)))
    return compared.code


def _print(record: Mapping[str, Any]) -> None:
    from tuner.cli.comparison_table import interval, number, p_value, print_comparison, spread

    metric, goal = record["metric"]["name"], record["metric"]["goal"]
    rows = [{"search_score": None, "difference": None, **record["default"]}, *record["trials"]]
    with_error = any(row["error"] is not None for row in rows)
    table = []
    for row in rows:
        difference = row["difference"]
        cells = {
            "": row["name"],
            "search": number(row["search_score"]),
            metric: spread(row["score"]),
            "difference": "" if difference is None else number(difference["mean"], "+"),
            "between": "" if difference is None else interval(difference),
            "p": "" if difference is None else p_value(difference),
            "verdict": "" if difference is None else difference["verdict"],
        }
        if with_error:
            error = row["error"] or {}
            cells |= {name.replace("_", " "): number(error.get(name)) for name in ("bias_and_noise", "variance")}
        table.append(cells)
    print_comparison(table)
    print(f"\n{record['search']}: {metric} (to {goal}) on {len(record['seeds'])} fresh seeds, mean ± std")
    print("\n".join(row["sentence"] for row in record["trials"]))
    said, mean = record["trials"][0]["search_score"], record["trials"][0]["score"]["mean"]
    if mean is not None:
        print(f"the search said {number(said)} for its best trial; its fresh runs say {number(mean)}")
