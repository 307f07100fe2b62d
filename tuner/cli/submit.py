"""``tuner submit``: hand a search to a Ray cluster."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.cli.options import add_file, add_format
from tuner.cli.search import add_flags, given_flags, option_words, read_file
from tuner.facts.errors import ClusterError, ExitCode, UsageError

if TYPE_CHECKING:
    from tuner.cluster.job import Job
    from tuner.cluster.server import JobServer
    from tuner.space.searchfile import SearchFile

_EXAMPLES = """examples:
  tuner submit cifar10.yaml --address http://head:8265 --results s3://bucket/hpo
  tuner submit cifar10.yaml --address http://head:8265 --results /shared --wait
  tuner submit cifar10.yaml --results s3://bucket/hpo --manifest > job.yaml

The job goes on whatever becomes of this command. Submitted again, a search that
was interrupted goes on, and one that is finished says so.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLES
    add_file(parser, nargs="?")
    add_flags(parser)
    # As of ``tuner search``; a job always goes on where its search was.
    parser.add_argument("--resume", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--address", metavar="URL", help="the cluster's job server, such as http://HEAD:8265")
    parser.add_argument(
        "--working-dir",
        type=Path,
        metavar="DIR",
        help="what the job takes along (default: the search file, and the folder of a trainable of your own)",
    )
    parser.add_argument(
        "--env",
        action="append",
        default=[],
        metavar="KEY[=VALUE]",
        help="an environment variable of the job; KEY alone takes the value that it has here; may be repeated",
    )
    parser.add_argument(
        "--submission-id", metavar="ID", help="the job's id, by which a retry finds it (default: fresh)"
    )
    parser.add_argument(
        "--wait",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="show the job's log until it ends, and end with the search's own exit code",
    )
    parser.add_argument("--manifest", action="store_true", help="print a KubeRay manifest instead of submitting")
    parser.add_argument("--image", metavar="IMAGE", help="with --manifest: the container image that holds Tuner")
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Hand the search in; prints the job's id on stdout, and with ``--wait`` its log on stderr."""
    from tuner.cluster.connect import connect
    from tuner.cluster.job import checked_id
    from tuner.cluster.portable import check_portable
    from tuner.cluster.submission import environment, fresh_id, submit
    from tuner.space.package import packed

    _check_kind(args)
    file = read_file(args)
    flags = given_flags(args)
    env = environment(args.env)
    for warning in file.warnings:
        print(warning, file=sys.stderr)
    with packed(file, args.working_dir) as package:
        check_portable(file, args.set, flags, package)
        if args.manifest:
            return _print_manifest(file, option_words(args), env, args.image)
        job_id = fresh_id(file.name) if args.submission_id is None else checked_id(args.submission_id)
        server = connect(args.address)
        job, fresh = submit(server, file, package, options=option_words(args), env=env, job_id=job_id)
    if not args.json:
        print(job.id, flush=True)
    _say_what_next(job, server, fresh=fresh, wait=args.wait)
    if args.wait:
        job = _waited(job, server)
    if args.json:
        print(json.dumps({"version": 1, "search": file.name, "job": job.to_json()}))
    return job.exit_code if args.wait else ExitCode.OK


def _check_kind(args: argparse.Namespace) -> None:
    """Refuse options that would do nothing."""
    if args.image and not args.manifest:
        raise UsageError("--image belongs to --manifest: a cluster that runs has its image")
    for option in ("working_dir", "submission_id", "wait", "json"):
        if args.manifest and getattr(args, option):
            raise UsageError(f"--{option.replace('_', '-')} is for submitting, and --manifest only prints")


def _print_manifest(file: SearchFile, options: list[str], env: dict[str, str], image: str | None) -> int:
    from tuner.cluster.manifest import IMAGE, ray_job_manifest

    sys.stdout.write(ray_job_manifest(file, options, env=env, image=image or IMAGE))
    if ":" in file.trainable:
        print(f"the image must hold the module of {file.trainable}", file=sys.stderr)
    return ExitCode.OK


def _say_what_next(job: Job, server: JobServer, *, fresh: bool, wait: bool) -> None:
    of = shlex.join([job.id, "--address", server.address])
    if fresh:
        print(f"{job.search} runs as the job {job.id} of {server.address}", file=sys.stderr)
    else:
        print(f"{job.search} was handed in before: the job {job.id} of {server.address}", file=sys.stderr)
    results = [] if job.results is None else ["--results", job.results]
    leaderboard = shlex.join(["tuner", "leaderboard", job.search or "", *results])
    follow = "" if wait else f"tuner logs {of} --follow\n"
    print(textwrap.indent(f"{follow}tuner stop {of}\n{leaderboard}", "  "), file=sys.stderr, flush=True)


def _waited(job: Job, server: JobServer) -> Job:
    from tuner.cli.logs import print_log, say

    of = shlex.join([job.id, "--address", server.address])
    try:
        print_log(server.follow(job.id, say), sys.stderr)
        job = server.get(job.id)
    except (KeyboardInterrupt, SystemExit) as leaving:
        print(f"\nthe job goes on without this command; to end it: tuner stop {of}", file=sys.stderr)
        raise (SystemExit(ExitCode.SIGINT) if isinstance(leaving, KeyboardInterrupt) else leaving) from None
    except ClusterError:
        print(f"whether the job {job.id} goes on is not known here; to look again: tuner status {of}", file=sys.stderr)
        raise
    if job.status != "SUCCEEDED" and job.reason:
        print(f"{job.id}: {job.status}: {job.reason}", file=sys.stderr)
    return job
