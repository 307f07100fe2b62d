"""``tuner extend``: more trials for a search, whether it runs, was interrupted or has finished; also another space."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.cli.driver import answered
from tuner.cli.limits import LIMITS, NOTHING_LEFT, extend_command
from tuner.cli.options import add_cluster, add_format, add_overrides, add_progress, add_search, add_top, whole_number
from tuner.cli.search import larger_limit, print_result
from tuner.facts.addresses import is_address
from tuner.facts.errors import ExitCode, ResultsHeldError, UsageError, relative_to_cwd
from tuner.facts.words import counted

if TYPE_CHECKING:
    from tuner.space.change import Change
    from tuner.space.searchfile import SearchFile

#: How a finished search could go on.
_MORE = {"trials": "; more trials: --trials N", "exhausted": "; another space: --trials N FILE"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_search(parser)
    parser.add_argument(
        "file", metavar="FILE", nargs="?", help="a search file whose parameters and require take the place of the old"
    )
    parser.add_argument(
        "--trials",
        type=whole_number(0, 10**9),
        required=True,
        metavar="N",
        help="how many more than are wanted now; 0 goes on with what is left",
    )
    parser.add_argument(
        "--rename", action="append", default=[], metavar="OLD=NEW", help="with FILE: a parameter has another name there"
    )
    parser.add_argument(
        "--default",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="with FILE: what trials had that lack a parameter; of the built-in training it is known",
    )
    add_overrides(parser, "what may differ from the search's settings: time_budget=2h, max_concurrent=2, root=DIR")
    add_cluster(parser)
    add_progress(parser)
    add_top(parser)
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Hand more trials to the driver that runs, or go on with the search; prints the leaderboard on stdout then."""
    from tuner.journal.lock import is_held
    from tuner.leaderboard.read import find_search
    from tuner.leaderboard.status import described
    from tuner.storage.copies import results_folder
    from tuner.study.request_files import Kind, ask

    _sort_words(args)
    if args.file is None and (args.rename or args.default):
        raise UsageError("--rename and --default belong to another space: tuner extend NAME FILE")
    more = args.trials
    with results_folder(args.results, args.name) as results:
        folder = find_search(results, args.name)
        refuse_renamed(folder, described(folder)[0].name)
        if args.file is not None:
            _refuse_another_space_if_held(folder)
        elif more and is_held(folder):
            if args.set or args.address is not None:
                raise UsageError(
                    f"{folder.name} runs, with the settings that it began with; --set, --root and --address are for a "
                    f"search that does not run"
                )
            request = ask(folder, Kind.EXTEND, trials=more)
            if answered(folder, request):
                return _extended(folder, args)
            if is_held(folder):
                print(f"{folder.name} was asked for more trials and has not answered yet", file=sys.stderr)
                return ExitCode.ABORTED
            more = 0  # the request waits, and the driver that begins here takes it in
        file, change = _file(folder, args)
    if args.file is not None and change is None:
        print(f"{args.file} changes nothing: {file.name} is in that space", file=sys.stderr)
    return _go_on(file, more, change, args)


def refuse_renamed(folder: Path, name: str) -> None:
    """Raise ``UsageError`` where a search's folder has another name than the search: results go by the latter."""
    if folder.name != name:
        raise UsageError(
            f"{relative_to_cwd(folder)} holds the search {name}; under this name it can be read, and nothing else: "
            f"rename it back"
        )


def _sort_words(args: argparse.Namespace) -> None:
    """Take a search file for FILE where NAME was left out, or comes after it."""
    word = args.name
    if word is not None and Path(word).suffix in (".yaml", ".yml") and Path(word).is_file():
        args.name, args.file = args.file, word


def _refuse_another_space_if_held(folder: Path) -> None:
    from tuner.journal.lock import refuse_if_held

    try:
        refuse_if_held(folder)
    except ResultsHeldError as error:
        raise ResultsHeldError(
            f"{error}; it takes another space when it does not run: tuner pause {folder.name}"
        ) from None


def _extended(folder: Path, args: argparse.Namespace) -> int:
    """Say what came of a request that a running driver has taken in."""
    from tuner.leaderboard.status import status_of

    status = status_of(folder)
    if args.json:
        print(json.dumps(status.to_json(), ensure_ascii=False))
    print(
        f"{status.info.name} goes on with {counted(args.trials, 'more trial')}: {status.trials:,} in all",
        file=sys.stderr,
    )
    return ExitCode.OK


def _file(folder: Path, args: argparse.Namespace) -> tuple[SearchFile, Change | None]:
    """Return the search's settings, or those of a new file, with as many trials as its last driver was to propose."""
    from tuner.study.folder import Folder
    from tuner.study.respace import read_change
    from tuner.study.stored import stored_search

    search = Folder(folder)
    if args.file is None:
        file, change = stored_search(search, args.set), None
    else:
        file, change = read_change(search, Path(args.file), args.set, args.rename, args.default)
    trials = max(file.search.trials, search.history().wanted)
    place = args.results if is_address(args.results) else str(folder.parent.absolute())
    return replace(file, results=place, search=replace(file.search, trials=trials)), change


def _go_on(file: SearchFile, more: int, change: Change | None, args: argparse.Namespace) -> int:
    from tuner.cli.progress import observer
    from tuner.study.runner import run_search

    again = _again(file, args)
    outcome = run_search(
        file,
        resume=True,
        more=more,
        change=change,
        resume_command=again,
        address=args.address,
        observer=observer(args.progress),
    )
    if outcome.already_finished:
        space = "" if change is None else "; its space is as it was"
        how = larger_limit(outcome) if outcome.reason in LIMITS else _MORE[outcome.reason]
        place = relative_to_cwd(outcome.folder)
        print(f"{place} is finished: {NOTHING_LEFT[outcome.reason]}{how}{space}", file=sys.stderr)
    print_result(outcome, file, args, again)
    return outcome.code


def _again(file: SearchFile, args: argparse.Namespace) -> str:
    """Return what to type to go on once more."""
    words = [word for override in args.set for word in ("--set", override)]
    words += ["--address", args.address] if args.address is not None else []
    return extend_command(file.name, args.results, *words)
