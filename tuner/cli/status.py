"""``tuner status``: how far a search is, or several of them; or what a cluster says of a job."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.cli.limits import LIMITS, amounts, extend_command
from tuner.cli.options import add_follow, add_format, add_search_or_job
from tuner.cli.rungs import rung_sentence
from tuner.facts.errors import ExitCode, ResultsDamagedError
from tuner.facts.words import counted, moment, spelled_time

if TYPE_CHECKING:
    from tuner.cluster.job import Job
    from tuner.leaderboard.status import Status

_LOOK_SECONDS = 2.0
_LABEL = 10
#: Trials whose end says something about how long the others take.
_ENOUGH_TO_FORETELL = 4

#: Why the last driver let go, in words; ``on`` is what ``goes_on`` says.
_REASONS = {
    "trials": "finished",
    "exhausted": "finished: every configuration of the space has been tried",
    **{name: words.said for name, words in LIMITS.items()},
    "aborted": "ended early: the first trials all failed with the same error",
    "stopped": "stopped; {on}",
    "paused": "paused; {on}",
    "SIGINT": "interrupted; {on}",
    "SIGTERM": "interrupted; {on}",
}


@dataclass(frozen=True)
class _View:
    """What there is to see at one moment.

    Attributes:
        lines: The text.
        news: What has to differ for the text to be worth another print.
        ended: Whether nothing more will change.
        code: The exit code of a command that has shown it last.
    """

    lines: list[str]
    news: object
    ended: bool
    code: ExitCode = ExitCode.OK


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_search_or_job(parser, several="without it a table where there are several")
    add_follow(parser, "show it again and again until it ends")
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Print it; with ``--follow`` whenever it has changed."""
    views = _search(args) if args.address is None else _jobs(args)
    if args.follow:
        last = _show_in_place(views) if sys.stdout.isatty() and not args.json else _show_changes(views)
    else:
        last = next(views)
        print("\n".join(last.lines))
    return last.code


def _show_in_place(views: Iterator[_View]) -> _View:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(highlight=False), auto_refresh=False) as live:
        for view in views:
            live.update(Text("\n".join(view.lines)), refresh=True)
            if view.ended:
                break
            time.sleep(_LOOK_SECONDS)
    return view


def _show_changes(views: Iterator[_View]) -> _View:
    before = None
    for view in views:
        if view.news != before:
            print("\n".join(view.lines), flush=True)
            before = view.news
        if view.ended:
            break
        time.sleep(_LOOK_SECONDS)
    return view


def _search(args: argparse.Namespace) -> Iterator[_View]:
    from tuner.leaderboard.read import find_search, is_search, list_searches
    from tuner.leaderboard.status import status_of
    from tuner.storage.copies import results_folder

    with results_folder(args.results, args.name) as results:
        if args.name is None and not is_search(results) and len(list_searches(results)) > 1:
            yield from _searches(results, as_json=args.json)
            return
        folder = find_search(results, args.name)
        while True:
            status = status_of(folder)
            lines = [json.dumps(status.to_json(), ensure_ascii=False)] if args.json else list(_page(status))
            yield _View(lines, (status.holder, status.states, status.best_trial, status.last_event_at), not status.live)


def _searches(results: Path, *, as_json: bool) -> Iterator[_View]:
    from tuner.cli.status_table import rows_of, table

    told: set[str] = set()
    while True:
        rows = rows_of(results)
        damages = [str(row.error) for row in rows if isinstance(row.error, ResultsDamagedError)]
        for damage in damages:
            if damage not in told and not as_json:
                print(damage, file=sys.stderr)
            told.add(damage)
        record = {"version": 1, "searches": [row.to_json() for row in rows]}
        lines = [json.dumps(record, ensure_ascii=False)] if as_json else table(rows)
        code = ExitCode.RESULTS if damages else ExitCode.OK
        yield _View(lines, [row.cells for row in rows], not any(row.live for row in rows), code)


def _page(status: Status) -> Iterator[str]:
    yield f"{status.info.name}: {activity(status)}"
    running = sum(status.states.values()) - status.ended
    counts = ", ".join(f"{count:,} {state}" for state, count in status.states.items())
    yield _line("trials", f"{status.ended:,} of {status.trials:,} ended" + (f": {counts}" if counts else ""))
    if status.live and status.slots is not None:
        yield _line("slots", f"{running} in use; {status.slots} when it began")
    if status.best_score is not None:
        yield _line("best", f"{status.info.metric} {status.best_score:.4g} (trial {status.best_trial})")
    if rungs := rung_sentence(status.rungs):
        yield _line("rungs", rungs)
    if status.began_at is not None and status.last_event_at is not None:
        yield _line("began", f"{moment(status.began_at)}, {spelled_time(status.active_seconds)} of active time")
        ago = f" ({spelled_time(max(0.0, time.time() - status.last_event_at))} ago)" if status.live else ""
        yield _line("last word", f"{moment(status.last_event_at)}{ago}")
    if status.seconds_left is not None and status.ended >= _ENOUGH_TO_FORETELL:
        yield _line("left", f"about {spelled_time(status.seconds_left)}")
    if status.time_budget is not None:
        yield _line("budget", spelled_time(status.time_budget))
    if status.limits:
        yield _line("ends early", ", or ".join(amounts(status.limits)))
        gpus = f", {status.gpu_hours:.2f} GPU hours" if status.gpu_hours else ""
        yield _line("spent", f"{counted(status.epochs, 'epoch')}{gpus}")


def goes_on(name: str) -> str:
    """Return how a search that has let go is taken up."""
    return f"it goes on with: {extend_command(name)}"


def activity(status: Status) -> str:
    """Return what becomes of a search, in words."""
    if status.holder is not None:
        return f"running ({status.holder})"
    on = goes_on(status.info.name)
    if status.reason is None:
        return f"interrupted: nobody runs it; {on}"
    return _REASONS[status.reason].format(on=on) if status.reason in _REASONS else status.reason


def _jobs(args: argparse.Namespace) -> Iterator[_View]:
    from tuner.cluster.connect import connect
    from tuner.cluster.job import checked_id

    job_id = None if args.name is None else checked_id(args.name)
    server = connect(args.address)
    while True:
        jobs = server.jobs() if job_id is None else [server.get(job_id)]
        if args.json:
            shown: Any = {"jobs": [job.to_json() for job in jobs]} if job_id is None else {"job": jobs[0].to_json()}
            lines = [json.dumps({"version": 1, **shown}, ensure_ascii=False)]
        elif job_id is None:
            lines = _table(jobs)
            if not jobs:
                print(f"{server.address} has no job of a search", file=sys.stderr)
        else:
            lines = list(_job_page(jobs[0]))
        yield _View(lines, jobs, all(job.ended for job in jobs))


def _table(jobs: Sequence[Job]) -> list[str]:
    states = [f"FAILED ({job.exit_code:d})" if job.status == "FAILED" else job.status for job in jobs]
    width = max((len(job.id) for job in jobs), default=0)
    state_width = max(map(len, states), default=0)
    moments = ("" if job.started_at is None else moment(job.started_at) for job in jobs)
    rows = zip(jobs, states, moments, strict=True)
    return [f"{job.id:<{width}}  {state:<{state_width}}  {began}" for job, state, began in rows]


def _job_page(job: Job) -> Iterator[str]:
    yield f"{job.id}: {job.status}"
    if job.search is not None:
        yield _line("search", job.search)
    if job.results is not None:
        yield _line("results", job.results)
    if job.started_at is not None:
        until = time.time() if job.ended_at is None else job.ended_at
        took = "" if job.ended_at is None else f", {spelled_time(max(0.0, until - job.started_at))} long"
        yield _line("began", f"{moment(job.started_at)}{took}")
    if job.ended:
        yield _line("exit code", str(int(job.exit_code)))
    if job.reason:
        yield _line("says", job.reason)
    yield _line("runs", job.command)


def _line(label: str, text: str) -> str:
    return f"  {label:<{_LABEL}} {text}"
