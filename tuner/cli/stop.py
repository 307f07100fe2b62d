"""``tuner stop``: end a running search, or a job, in good order; it can go on later."""

from __future__ import annotations

import argparse
import json
import shlex
import sys

from tuner.cli.driver import waited
from tuner.cli.options import add_format, add_search_or_job
from tuner.cli.status import activity, goes_on
from tuner.facts.errors import ExitCode, UsageError

_NOT_BEGUN = "a job that has not begun is stopped by its id: tuner stop ID --address URL"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_search_or_job(parser)
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Ask for the end, and wait for it; 1 where it has not come in time."""
    return end_search(args, "stop", "stopped", _NOT_BEGUN) if args.address is None else _stop_job(args)


def end_search(args: argparse.Namespace, request: str, ended: str, hint: str | None = None) -> int:
    """Ask the driver of a search to let go of it, and wait until it has.

    Args:
        args: The command's.
        request: What is asked for.
        ended: The reason that the driver writes down then.
        hint: What to do where there is no such search, or None.

    Returns:
        The exit code; 1 where the driver goes on after all that patience.
    """
    from tuner.journal.lock import is_held
    from tuner.leaderboard.read import find_search, list_searches
    from tuner.leaderboard.status import status_of
    from tuner.storage.copies import results_folder
    from tuner.study.request_files import Kind, ask

    with results_folder(args.results, args.name) as results:
        try:
            folder = find_search(results, args.name)
            status_of(folder)  # of a folder without a search there is nothing to stop either
        except UsageError as error:
            if hint is None or (args.name is None and len(list_searches(results)) > 1):
                raise
            raise UsageError(f"{error}; {hint}") from error
        if not is_held(folder):
            raise UsageError(f"{folder.name} does not run, so there is nothing to {request}")
        ask(folder, Kind(request))
        over = waited(lambda: not is_held(folder))
        status = status_of(folder)
    if args.json:
        print(json.dumps(status.to_json(), ensure_ascii=False))
    name = status.info.name
    if not over:
        print(f"{name} was asked to {request} and has not ended yet; tuner status shows when it has", file=sys.stderr)
    elif status.reason == ended:
        print(
            f"{ended} {name} after {status.ended:,} of {status.trials:,} trials;"
            f" {goes_on(name)}, from the checkpoints of those that ran",
            file=sys.stderr,
        )
    else:
        print(f"{name} has ended meanwhile: {activity(status)}", file=sys.stderr)
    return ExitCode.OK if over else ExitCode.ABORTED


def _stop_job(args: argparse.Namespace) -> int:
    from tuner.cluster.connect import connect
    from tuner.cluster.job import checked_id

    if args.name is None:
        raise UsageError("which job? 'tuner status --address URL' lists them")
    job_id = checked_id(args.name)
    server = connect(args.address)
    job = server.get(job_id)
    if job.ended:
        raise UsageError(f"{job_id} does not run ({job.status}), so there is nothing to stop")
    server.stop(job_id)
    waited(lambda: server.get(job_id).ended)
    job = server.get(job_id)
    if args.json:
        print(json.dumps({"version": 1, "search": job.search, "job": job.to_json()}, ensure_ascii=False))
    if not job.ended:
        follow = shlex.join(["tuner", "status", job_id, "--address", server.address, "--follow"])
        print(f"{job_id} was told to stop and has not ended yet: {follow}", file=sys.stderr)
        return ExitCode.ABORTED
    again = "" if job.status == "SUCCEEDED" else "; submitted again, the search goes on"
    print(f"{job_id}: {job.status}{again}", file=sys.stderr)
    return ExitCode.OK
