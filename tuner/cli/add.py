"""``tuner add``: give a search a configuration, which it tries next."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from tuner.cli.driver import answered
from tuner.cli.extend import refuse_renamed
from tuner.cli.limits import LIMITS, extend_command
from tuner.cli.options import add_format, add_results
from tuner.facts.errors import ExitCode, UsageError
from tuner.facts.words import counted

if TYPE_CHECKING:
    from tuner.leaderboard.status import Status


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "words",
        metavar="[NAME] PARAMETER=VALUE",
        nargs="+",
        help="the search, which may be left out where there is one, and values; what is left out is sampled",
    )
    add_results(parser)
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Hand a configuration to the driver that runs, or keep it for the next."""
    from tuner.journal.lock import is_held
    from tuner.leaderboard.read import find_search
    from tuner.leaderboard.status import described, status_of
    from tuner.space.points import read_point
    from tuner.storage.copies import results_folder
    from tuner.study.folder import Folder
    from tuner.study.request_files import Kind, ask
    from tuner.study.stored import stored_space

    name, values = (None, args.words) if "=" in args.words[0] else (args.words[0], args.words[1:])
    if not values:
        raise UsageError("no configuration is given: tuner add NAME lr=0.1 momentum=0.9")
    with results_folder(args.results, name) as results:
        folder = find_search(results, name)
        refuse_renamed(folder, described(folder)[0].name)
        point = read_point(values, stored_space(Folder(folder)))
        request = ask(folder, Kind.ADD, config=point)
        live = is_held(folder)
        taken = live and answered(folder, request)
        status = status_of(folder)
    if args.json:
        print(json.dumps({"version": 1, "search": status.info.name, "config": point, "taken": taken}))
    print(_story(status, args.results, live=live, taken=taken), file=sys.stderr)
    return ExitCode.OK


def _story(status: Status, results: str, *, live: bool, taken: bool) -> str:
    name = status.info.name
    if taken:
        return f"{name} tries this configuration next; {counted(status.trials, 'trial')} in all"
    if live:
        return f"{name} has not taken this configuration yet; it is kept, and 'tuner logs {name}' shows when it has"
    limit = LIMITS.get(status.reason or "")
    line = extend_command(name, results) + ("" if limit is None else f" {limit.larger}")
    return f"{name} does not run; the configuration is kept and comes first when it goes on: {line}"
