"""``tuner logs``: what happened in a search, what a trial printed, or the log of a job."""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from tuner.cli.options import add_follow, add_format, add_search_or_job, whole_number
from tuner.cli.status import activity
from tuner.facts.errors import ExitCode, ResultsDamagedError, UsageError, relative_to_cwd
from tuner.facts.printable import only_coloured, printable
from tuner.facts.words import counted, spelled_time
from tuner.journal.links import regular_file

if TYPE_CHECKING:
    from tuner.journal.events import Event
    from tuner.leaderboard.info import SearchInfo

_LOOK_SECONDS = 1.0
#: Ray's id of a node, by which a driver on a cluster knows it.
_NODE_ID = re.compile(r"[0-9a-f]{56}")
#: Pause between looks as a multiple of what the last one took, so that a long log is not read all the time.
_PATIENCE = 10


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_search_or_job(parser)
    parser.add_argument(
        "trial", metavar="TRIAL", nargs="?", type=whole_number(0), help="number of a trial: show what it printed"
    )
    add_follow(parser, "go on until it ends")
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Print it on stdout."""
    if args.address is not None:
        return _job(args)
    from tuner.leaderboard.read import find_search
    from tuner.storage.copies import results_folder

    with results_folder(args.results, args.name) as results:
        folder = find_search(results, args.name)
        if args.trial is None:
            _events(folder, follow=args.follow, as_json=args.json)
        elif args.json:
            text = "".join(_printed(folder, args.trial, follow=args.follow))
            print(json.dumps({"version": 1, "search": folder.name, "number": args.trial, "log": text}))
        else:
            print_log(_printed(folder, args.trial, follow=args.follow), sys.stdout)
    return ExitCode.OK


def print_log(pieces: Iterable[str], stream: TextIO) -> None:
    """Write pieces of a log as they come, in a terminal what it may obey alone, and end the last line."""
    last = "\n"
    for piece in pieces:
        stream.write(only_coloured(piece) if stream.isatty() else piece)
        stream.flush()
        last = piece or last
    if not last.endswith("\n"):
        stream.write("\n")


def say(sentence: str) -> None:
    """Tell on stderr what becomes of a job that is followed, besides what it prints."""
    print(printable(sentence), file=sys.stderr, flush=True)


def _job(args: argparse.Namespace) -> int:
    from tuner.cluster.connect import connect
    from tuner.cluster.job import checked_id

    if args.name is None:
        raise UsageError("which job? 'tuner status --address URL' lists them")
    if args.trial is not None:
        raise UsageError("a job has one log; what a trial printed lies in the results: tuner logs NAME TRIAL")
    job_id = checked_id(args.name)
    server = connect(args.address)
    job = server.get(job_id)
    pieces = server.follow(job_id, say) if args.follow else [server.log(job_id)]
    if args.json:
        print(json.dumps({"version": 1, "search": job.search, "job": job.id, "log": "".join(pieces)}))
    else:
        print_log(pieces, sys.stdout)
    return ExitCode.OK


def _printed(folder: Path, number: int, *, follow: bool) -> Iterator[str]:
    """Yield what a trial printed; with ``follow`` until it has ended."""
    from tuner.journal.history import History
    from tuner.journal.lock import is_held
    from tuner.journal.log import read_events
    from tuner.storage.copies import fetch

    path, seen = folder / "logs" / f"{number}.log", 0
    for _ in _looks():
        trial = History(read_events(folder)).trials.get(number)
        if trial is None:
            raise UsageError(f"{relative_to_cwd(folder)} has no trial {number}")
        over = not follow or trial.end is not None or not is_held(folder)
        data = _content(path) if fetch(path) else b""
        whole = len(data) if over else data.rfind(b"\n") + 1  # half a character is not shown
        yield data[seen:whole].decode(errors="replace")
        seen = whole
        if over:
            if seen == 0:
                print(f"trial {number} printed nothing", file=sys.stderr)
            return


def _content(path: Path) -> bytes:
    try:
        return regular_file(path).read_bytes()
    except (OSError, ValueError) as error:
        raise ResultsDamagedError(f"{relative_to_cwd(path)} cannot be read: {error}") from error


def _events(folder: Path, *, follow: bool, as_json: bool) -> None:
    """Print a line for each event; as JSON one object, or with ``follow`` one a line."""
    from tuner.journal.history import History
    from tuner.journal.lock import is_held
    from tuner.journal.log import read_events
    from tuner.leaderboard.status import described, status_of

    info, _ = described(folder)
    seen = 0
    for _ in _looks():
        over = not follow or not is_held(folder)
        events = read_events(folder)
        if as_json and not follow:
            print(json.dumps({"version": 1, "search": info.name, "events": [_record(event) for event in events]}))
            return
        nodes = History(events).nodes
        for event in events[seen:]:
            print(json.dumps(_record(event)) if as_json else _line(event, info, nodes), flush=follow)
        seen = len(events)
        if over:
            break
    if follow and events and events[-1].type != "close":
        print(f"{info.name}: {activity(status_of(folder))}", file=sys.stderr)


def _looks() -> Iterator[None]:
    while True:
        began = time.monotonic()
        yield
        time.sleep(max(_LOOK_SECONDS, _PATIENCE * (time.monotonic() - began)))


def _record(event: Event) -> dict[str, Any]:
    from tuner.journal.events import values_of

    return {"type": event.type, **values_of(event)}


def _line(event: Event, info: SearchInfo, nodes: Mapping[str, int]) -> str:
    moment = f"{datetime.fromtimestamp(event.at, UTC):%Y-%m-%d %H:%M:%S}"
    trial = "" if event.n is None else f"trial {event.n} "
    return printable(f"{moment}  {trial}{_STORIES[event.type](event, info, nodes)}")


def _ask(event: Any, info: SearchInfo, nodes: Mapping[str, int]) -> str:
    config = {name: value for name, value in event.config.items() if name != "seed"}
    return f"proposed ({event.origin}): {_config(config)}"


def _renames(renamed: Mapping[str, str]) -> str:
    return "".join(f", {old} is now {new}" for old, new in renamed.items())


def _config(config: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_short(value)}" for name, value in config.items())


def _epoch(event: Any, info: SearchInfo, nodes: Mapping[str, int]) -> str:
    return f"epoch {event.epoch}: {info.metric} {_short(event.score)} ({event.seconds:.1f} s)"


def _start(event: Any, info: SearchInfo, nodes: Mapping[str, int]) -> str:
    """A node of a cluster has an id that nobody can read, and the leaderboard's name instead."""
    known = _NODE_ID.fullmatch(event.node) and event.node in nodes
    return f"began on {f'node-{nodes[event.node]}' if known else event.node} ({event.device})"


def _end(event: Any, info: SearchInfo, nodes: Mapping[str, int]) -> str:
    return f"{event.state} ({event.stop_reason})" + (f": {event.error}" if event.error else "")


#: Type of an event to what it says.
_STORIES: Mapping[str, Callable[[Any, SearchInfo, Mapping[str, int]], str]] = {
    "open": lambda event, *_: f"the driver began: {counted(event.trials, 'trial')}, {event.slots} side by side",
    "extend": lambda event, *_: f"extended to {counted(event.trials, 'trial')}",
    "add": lambda event, *_: f"given: {_config(event.config)}; {counted(event.trials, 'trial')} in all",
    "respace": lambda event, *_: "the space changed" + _renames(event.renamed),
    "ask": _ask,
    "retry": lambda event, *_: f"again, attempt {event.attempt}: {event.reason}",
    "start": _start,
    "epoch": _epoch,
    "rung": lambda event, *_: f"judged at epoch {event.epoch}: {event.decision}",
    "end": _end,
    "close": lambda event, *_: f"the driver ended after {spelled_time(event.seconds)}: {event.reason}",
}


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
