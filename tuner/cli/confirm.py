"""``tuner confirm``: train the winners of a search and the default again, and say whether they are really better."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from tuner.cli.options import add_comparison, conclude, whole_number


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
    from tuner.storage.copies import results_folder
    from tuner.study.confirm import confirm

    with results_folder(args.results, args.name) as results:
        folder = find_search(results, args.name)
        compared, record = confirm(
            folder,
            top=args.top,
            seeds=args.seeds,
            overrides=args.set,
            address=args.address,
            observer=observer(args.progress),
        )
    return conclude(args, compared, record, _print, folder.name, "--top", str(args.top))


def _print(record: Mapping[str, Any]) -> None:
    from tuner.cli.comparison_table import interval, p_value, print_comparison, print_sentences, spread
    from tuner.study.run_results import decimals_for, spelled_number

    metric, goal = record["metric"]["name"], record["metric"]["goal"]
    decimals = decimals_for(record["default"]["score"]["mean"])
    rows = [{"search_score": None, "difference": None, **record["default"]}, *record["trials"]]
    with_error = any(row["error"] is not None for row in rows)
    table = []
    for row in rows:
        difference = row["difference"]
        cells = {
            "": row["name"],
            "search": spelled_number(row["search_score"], decimals),
            metric: spread(row["score"], decimals),
            "difference": "" if difference is None else spelled_number(difference["mean"], decimals, "+"),
            "between": "" if difference is None else interval(difference, decimals),
            "p": "" if difference is None else p_value(difference),
            "verdict": "" if difference is None else difference["verdict"],
        }
        if with_error:
            error = row["error"] or {}
            cells |= {
                name.replace("_", " "): spelled_number(error.get(name)) for name in ("bias_and_noise", "variance")
            }
        table.append(cells)
    less = ("bias and noise", "variance", "search", "p", "between")
    print_comparison(table, left=("", "verdict"), less=less, seeds=len(record["seeds"]))
    print()
    print_sentences(_sentences(record, metric, goal, decimals))


def _sentences(record: Mapping[str, Any], metric: str, goal: str, decimals: int) -> Iterator[str]:
    from tuner.space.domains import spelled
    from tuner.study.run_results import spelled_number

    best = record["trials"][0]
    yield f"{record['search']}: {metric} (to {goal}) on {len(record['seeds'])} fresh seeds, mean ± std"
    if record["default_values"]:
        values = ", ".join(f"{name} {spelled(value)}" for name, value in record["default_values"].items())
        yield f"the default, where {best['name']} differs from it: {values}"
    yield from (row["sentence"] for row in record["trials"])
    said, mean = (spelled_number(value, decimals) for value in (best["search_score"], best["score"]["mean"]))
    if best["score"]["mean"] is not None:
        yield f"the search said {said} for its best trial; its fresh runs, on other splits, say {mean}"
