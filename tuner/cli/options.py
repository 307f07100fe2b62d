"""Options that several commands share."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tuner.facts.errors import ExitCode
from tuner.facts.printable import printable

if TYPE_CHECKING:
    from tuner.study.compare import Compared

_ROOT = "where the images lie, for data sets in files of your own"


def whole_number(low: int, high: int | None = None) -> Callable[[str], int]:
    """Return what reads an option's whole number, from ``low`` to ``high`` or on."""

    def read(text: str) -> int:
        if text.isdecimal() and low <= int(text) <= (int(text) if high is None else high):
            return int(text)
        bounds = f"from {low} on" if high is None else f"from {low} to {high}"
        raise argparse.ArgumentTypeError(f"must be a whole number {bounds}, not '{text}'")

    return read


def add_file(parser: argparse.ArgumentParser, nargs: str | None = None) -> None:
    """Declare the search file and ``--set``; ``nargs`` as argparse has it, where an option may take the file along."""
    parser.add_argument("file", metavar="FILE", nargs=nargs, help="the search file")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a setting, dotted from the top (parameters.lr=0.1) or a bare name; may be repeated",
    )


def add_root(parser: argparse.ArgumentParser) -> None:
    """Declare ``--root``; see ``root_flag``."""
    parser.add_argument("--root", metavar="DIR", help=_ROOT)


def root_flag(args: argparse.Namespace) -> dict[str, tuple[str, object]]:
    """Return what ``--root`` sets, as ``read_search_file`` takes dedicated options."""
    return {} if args.root is None else {"data.root": ("--root", args.root)}


def add_search(parser: argparse.ArgumentParser) -> None:
    """Declare which search of which results folder."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="the search; may be left out where there is one")
    add_results(parser)


def add_search_or_job(parser: argparse.ArgumentParser, several: str | None = None) -> None:
    """Declare which search of which results folder, or which job of which cluster.

    Args:
        parser: The command's.
        several: What comes of leaving the name out where there are several searches; None where that is an error.
    """
    without = "which may be left out where there is one" if several is None else several
    parser.add_argument("name", metavar="NAME", nargs="?", help=f"the search, {without}; with --address the job")
    add_results(parser)
    parser.add_argument("--address", metavar="URL", help="the job server of a cluster, such as http://HEAD:8265")


def add_follow(parser: argparse.ArgumentParser, summary: str) -> None:
    """Declare ``--follow``."""
    parser.add_argument("--follow", action="store_true", help=summary)


def add_results(parser: argparse.ArgumentParser) -> None:
    """Declare ``--results``."""
    parser.add_argument(
        "--results",
        metavar="DIR",
        default="results",
        help="the results: a folder or s3://bucket/prefix (default: results)",
    )


def add_cluster(parser: argparse.ArgumentParser) -> None:
    """Declare ``--address`` of a driver."""
    parser.add_argument(
        "--address", metavar="HOST", help="run on a Ray cluster: auto, HOST or HOST:PORT; without it on this machine"
    )


def add_progress(parser: argparse.ArgumentParser) -> None:
    """Declare ``--progress``."""
    parser.add_argument(
        "--progress", choices=("auto", "live", "lines", "none"), default="auto", help="how to show progress on stderr"
    )


def add_format(parser: argparse.ArgumentParser) -> None:
    """Declare ``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def add_top(parser: argparse.ArgumentParser) -> None:
    """Declare ``--top`` of a command that ends with the leaderboard."""
    parser.add_argument(
        "--top", type=whole_number(0), default=10, metavar="K", help="rows of the leaderboard at the end"
    )


def add_overrides(parser: argparse.ArgumentParser, summary: str) -> None:
    """Declare ``--set`` and ``--root`` of a command that takes its settings from a results folder."""
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help=f"{summary}; may be repeated")
    parser.add_argument("--root", metavar="DIR", dest="set", action="append", type=_root_override, help=_ROOT)


def add_comparison(parser: argparse.ArgumentParser) -> None:
    """Declare what ``tuner confirm`` and ``tuner ablate`` share."""
    parser.add_argument(
        "--seeds", type=whole_number(2), default=5, metavar="S", help="fresh seeds for each, at least 2 (default: 5)"
    )
    add_search(parser)
    add_overrides(parser, "what a run takes: max_concurrent=2, gpus_per_trial=0.5, root=DIR")
    add_cluster(parser)
    add_progress(parser)
    add_format(parser)


def _root_override(folder: str) -> str:
    return f"data.root={json.dumps(folder, ensure_ascii=False)}"  # quoted: a folder may be called null or 1.0


def conclude(
    args: argparse.Namespace,
    compared: Compared,
    record: Mapping[str, Any] | None,
    show: Callable[[Mapping[str, Any]], None],
    *words: str,
) -> int:
    """Print what came of a comparison on stdout, and on stderr why it has not come to its end, and how it goes on.

    Args:
        args: The command's own.
        compared: How it ended for now.
        record: What came of it; None where not every run has ended.
        show: Prints the record for people.
        words: What names the comparison on the command line.

    Returns:
        The exit code.
    """
    if record is not None and args.json:
        print(json.dumps(record, indent=2))
    elif record is not None:
        show(record)
    if compared.code in (ExitCode.SIGINT, ExitCode.SIGTERM):
        print(f"interrupted; go on with: {_command(args, *words)}", file=sys.stderr)
    elif compared.error is not None:
        print(f"ended early: the first runs all failed with: {printable(compared.error)}", file=sys.stderr)
    return int(compared.code)


def _command(args: argparse.Namespace, *words: str) -> str:
    line = ["tuner", args.command, *words, "--seeds", str(args.seeds)]
    if args.results != "results":
        line += ["--results", args.results]
    for override in args.set:
        line += ["--set", override]
    if args.address is not None:
        line += ["--address", args.address]
    return shlex.join(line)
