"""``tuner ablate``: switch the regularizers of a trial off in turn, and say which earn their place."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from tuner.cli.options import add_comparison, conclude, whole_number


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--trial", type=whole_number(0), metavar="N", required=True, help="the trial's number")
    add_comparison(parser)


def run(args: argparse.Namespace) -> int:
    """Compare, and print what came of it on stdout; returns the exit code."""
    from tuner.cli.progress import observer
    from tuner.leaderboard.read import find_search
    from tuner.storage.copies import results_folder
    from tuner.study.ablate import ablate

    with results_folder(args.results, args.name) as results:
        folder = find_search(results, args.name)
        compared, record = ablate(
            folder,
            args.trial,
            seeds=args.seeds,
            overrides=args.set,
            address=args.address,
            observer=observer(args.progress),
        )
    return conclude(args, compared, record, _print, folder.name, "--trial", str(args.trial))


def _print(record: Mapping[str, Any]) -> None:
    from tuner.cli.comparison_table import interval, p_value, print_comparison, print_sentences, spread
    from tuner.leaderboard.formats import spelled
    from tuner.study.run_results import decimals_for, spelled_number

    metric, goal, seeds = record["metric"]["name"], record["metric"]["goal"], len(record["seeds"])
    decimals = decimals_for(record["full"]["score"]["mean"])
    values = record["regularizers"]
    table = []
    for row in ({"difference": None, "verdict": "", "off": [], **record["full"]}, *record["ablations"]):
        difference, off = row["difference"], row["off"]
        table.append(
            {
                "switched off": "all" if len(off) > 1 else off[0] if off else "nothing",
                "value": spelled(values[off[0]]) if len(off) == 1 else "",
                metric: spread(row["score"], decimals),
                "gap": spelled_number(row["generalization_gap"]["mean"], sign="+"),
                "difference": "" if difference is None else spelled_number(difference["mean"], decimals, "+"),
                "between": "" if difference is None else interval(difference, decimals),
                "p": "" if difference is None else p_value(difference),
                "verdict": row["verdict"].replace("is not shown to matter", "not shown"),
            }
        )
    less = ("gap", "p", "value", "between", "difference")
    print_comparison(table, left=("switched off", "verdict"), less=less, seeds=seeds)
    heading = f"{record['search']}-{record['number']}: {metric} (to {goal}) on {seeds} fresh seeds, mean ± std"
    print()
    print_sentences([heading, *(row["sentence"] for row in record["ablations"])])
