"""``tuner search``: run a search file, or go on with one that was interrupted."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.cli.limits import LIMITS, NOTHING_LEFT, extend_command
from tuner.cli.options import add_cluster, add_file, add_format, add_progress, add_top
from tuner.cli.sentences import terminal_width, wrapped
from tuner.facts.addresses import is_address
from tuner.facts.errors import ExitCode, UsageError, relative_to_cwd
from tuner.facts.printable import printable
from tuner.facts.ray_job import in_ray_job
from tuner.facts.records import IN_OWN_FILES

if TYPE_CHECKING:
    from tuner.space.searchfile import SearchFile
    from tuner.study.runner import Outcome


def number(text: str) -> int | float:
    """Return a number as the search file would read it: 1 is an integer, 0.5 is not."""
    try:
        return int(text)
    except ValueError:
        return float(text)


#: The dedicated option that takes several values.
_WARM_START = "--warm-start"

#: Dedicated option to the key of the search file that it sets, the type of its value, and its help.
FLAGS: dict[str, tuple[str, Callable[[str], Any], str]] = {
    "--root": ("data.root", str, "where the images lie, for data sets in files of your own"),
    "--trials": ("search.trials", int, "how many trials"),
    "--time-budget": ("search.time_budget", str, "active time, such as 90m, 2h or seconds"),
    "--max-concurrent": ("resources.max_concurrent", int, "how many trials side by side at most"),
    "--cpus-per-trial": ("resources.cpus_per_trial", number, "CPUs of a trial"),
    "--gpus-per-trial": ("resources.gpus_per_trial", number, "GPUs of a trial; 0.5 puts two on one GPU"),
    _WARM_START: ("search.warm_start", str, "earlier searches whose best configurations run among the first trials"),
    "--seed": ("search.seed", int, "seed of everything random"),
    "--name": ("name", str, "name of the folder under results/"),
    "--results": ("results", str, "where results go, instead of results/: a folder or s3://bucket/prefix"),
}


#: How a finished search could go on.
_MORE: dict[str, str] = {"trials": "; more trials: --trials N --resume"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_file(parser, nargs="?")
    add_flags(parser)
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted search, or start it")
    parser.add_argument("--restart", action="store_true", help="move an existing folder to <name>.<k> and start anew")
    parser.add_argument("--dry-run", action="store_true", help="check file, data and machine; touch no results")
    add_cluster(parser)
    add_progress(parser)
    add_top(parser)
    add_format(parser)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the dedicated options of a search."""
    for flag, (_, kind, summary) in FLAGS.items():
        several: dict[str, Any] = {"nargs": "+", "action": "extend", "metavar": "NAME"}
        parser.add_argument(flag, type=kind, help=summary, **(several if flag == _WARM_START else {"metavar": "X"}))


def read_file(args: argparse.Namespace) -> SearchFile:
    """Return the search file with its overrides and dedicated options.

    FILE may follow the names of ``--warm-start``, which argparse takes for one more of them.

    Raises:
        SearchFileError: All that is wrong with the file.
        UsageError: No file is given.
    """
    from tuner.hyperparameters.table import TRAINABLES
    from tuner.space.read import read_search_file

    names = args.warm_start or []
    if args.file is None:
        files = [name for name in names if Path(name).is_file()]
        if len(files) != 1:
            order = shlex.join([_WARM_START, *names]) if names else "..."
            raise UsageError(f"no search file is given: tuner {args.command} FILE {order}")
        args.file = files[0]
        names.remove(args.file)
        if not names:
            raise UsageError(f"{_WARM_START} names no search: tuner {args.command} {args.file} {_WARM_START} NAME")
    return read_search_file(Path(args.file), args.set, trainables=TRAINABLES, flags=given_flags(args))


def run(args: argparse.Namespace) -> int:
    """Run the search; prints the leaderboard on stdout."""
    from tuner.cli.progress import observer
    from tuner.study.runner import run_search

    if args.resume and args.restart:
        raise UsageError("--resume and --restart exclude each other")
    file = read_file(args)
    outcome = run_search(
        file,
        resume=args.resume,
        restart=args.restart,
        dry_run=args.dry_run,
        resume_command=resume_command(args),
        address=args.address,
        observer=observer(args.progress),
    )
    if args.dry_run:
        if args.json:
            print(json.dumps({"version": 1, "search": file.name, "dry_run": outcome.reason}))
        print(f"{args.file}: good; {outcome.reason}", file=sys.stderr)
        return outcome.code
    if outcome.already_finished:
        _say_finished(outcome)
    print_result(outcome, file, args, resume_command(args))
    return outcome.code


def resume_command(args: argparse.Namespace) -> str:
    """Return what to type to go on with the search that these arguments began."""
    cluster = [] if args.address is None else ["--address", args.address]
    return shlex.join(["tuner", "search", args.file, *option_words(args), *cluster, "--resume"])


def option_words(args: argparse.Namespace) -> list[str]:
    """Return the dedicated options that were given, and the overrides, as they are typed."""
    words = []
    for flag, value in given_flags(args).values():
        words += [flag, *(value if isinstance(value, list) else [str(value)])]
    return words + [word for override in args.set for word in ("--set", override)]


def given_flags(args: argparse.Namespace) -> dict[str, tuple[str, Any]]:
    """Return the dedicated options that were given: key of the search file to (option, value)."""
    values = {flag: getattr(args, flag.removeprefix("--").replace("-", "_")) for flag in FLAGS}
    return {FLAGS[flag][0]: (flag, value) for flag, value in values.items() if value is not None}


def _next_commands(file: SearchFile, folder: Path) -> list[str]:
    """Return what to type to look at the best trial and to go on with it; nothing where none has a rank."""
    from tuner.leaderboard import query
    from tuner.leaderboard.source import leaderboard_of

    best = query.top(leaderboard_of(folder), 1, where="rank == 1").table.to_pylist()
    if not best:
        return []
    results = relative_to_cwd(folder.parent)
    place = "" if results == "results" else f" --results {shlex.quote(results)}"
    commands = [f"tuner show {folder.name}/{best[0]['number']}{place}"]
    if len(file.metrics) > 1:
        commands.append(f"tuner leaderboard {folder.name} --pareto{place}")
    if file.data is not None:  # a function of one's own is trained by its author
        root = " --root DIR" if file.data.dataset in IN_OWN_FILES else ""
        commands += [
            f"tuner confirm {folder.name}{place}{root}",
            f"tuner train --from {folder.name} --rank 1{place}{root}",
        ]
    return commands


def _print_rungs(folder: Path, file: SearchFile) -> None:
    """Say on stderr whether the rungs rank trials, and warn where one does not."""
    from tuner.cli.rungs import rung_sentence, rung_warning
    from tuner.journal.history import History
    from tuner.journal.log import read_events
    from tuner.leaderboard.rung_correlation import rung_correlations

    scheduler = file.scheduler
    history = History(read_events(folder))
    rungs = rung_correlations(history, file.metric.goal, scheduler.exempt, scheduler.brackets)
    for sentence in filter(None, (rung_sentence(rungs), rung_warning(rungs))):
        print(wrapped(sentence, terminal_width(sys.stderr)), file=sys.stderr)


def _say_finished(outcome: Outcome) -> None:
    place = relative_to_cwd(outcome.folder)
    anew = "another --name" if is_address(place) or in_ray_job() else "--restart"
    more = larger_limit(outcome) if outcome.reason in LIMITS else _MORE.get(outcome.reason, "")
    print(f"{place} is finished: {NOTHING_LEFT[outcome.reason]}{more}; anew: {anew}", file=sys.stderr)


def larger_limit(outcome: Outcome) -> str:
    """Return how a search that a limit ended goes on, as the end of a sentence."""
    command = extend_command(outcome.folder.name, relative_to_cwd(outcome.folder.parent))
    return f"; go on: {command} {LIMITS[outcome.reason].larger}"


def print_result(outcome: Outcome, file: SearchFile, args: argparse.Namespace, command: str) -> None:
    """Print the leaderboard on stdout, and on stderr what its rungs were worth, why it ended and how it goes on.

    Args:
        outcome: Of the search.
        file: What was asked for.
        args: With ``top`` and ``json``.
        command: What to type to go on.
    """
    from tuner.cli.leaderboard import print_leaderboard

    place = relative_to_cwd(outcome.folder)
    _print_rungs(outcome.folder, file)
    print_leaderboard(outcome.folder, top=args.top, format="json" if args.json else "table")
    again = "submitted again, it goes on" if in_ray_job() else f"go on with: {command}"
    if outcome.code in (ExitCode.SIGINT, ExitCode.SIGTERM):
        print(f"interrupted; {again}", file=sys.stderr)
    elif outcome.reason == "stopped":
        print(f"stopped, as 'tuner stop' asked; {again}", file=sys.stderr)
    elif outcome.reason == "paused":
        print(f"paused, as 'tuner pause' asked; {again}", file=sys.stderr)
    elif outcome.error is not None:
        print(f"ended early: the first trials all failed with: {printable(outcome.error)}", file=sys.stderr)
    elif outcome.reason == "exhausted" and not outcome.already_finished:
        print("every configuration of the space has been tried", file=sys.stderr)
    elif outcome.reason in LIMITS and not outcome.already_finished:
        print(f"{LIMITS[outcome.reason].said}{larger_limit(outcome)}", file=sys.stderr)
    elif outcome.code == ExitCode.ABORTED:
        print(f"no trial completed; what they printed lies in {place}/logs", file=sys.stderr)
    if outcome.code in (ExitCode.OK, ExitCode.TRIAL_FAILED) and (commands := _next_commands(file, outcome.folder)):
        print("next: " + "\n      ".join(commands), file=sys.stderr)
