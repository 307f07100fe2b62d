"""A search as a job: its command line, its environment, its id."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tuner.cluster.job import FILE_KEY, RESULTS_KEY, SEARCH_KEY, Job
from tuner.facts.errors import UsageError
from tuner.facts.ray_token import TOKEN_VARIABLES
from tuner.space.package import Package
from tuner.space.searchfile import SearchFile

if TYPE_CHECKING:
    from tuner.cluster.server import JobServer

#: Seconds between SIGTERM and SIGKILL when a job is stopped. Ray's own three are few where results are far away.
_STOP_PATIENTLY = {"RAY_JOB_STOP_WAIT_TIME_S": "30"}

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def command_line(package: Package, options: Sequence[str]) -> str:
    """Return what the shell of the cluster's head runs: words stay words, whatever is in them.

    Args:
        package: Holds the search file.
        options: What ``tuner search`` takes besides.
    """
    file = str(package.file)
    words = ["tuner", "search", f"./{file}" if file.startswith("-") else file, *options]
    return shlex.join([*words, "--resume", "--address", "auto", "--progress", "lines"])


def environment(given: Sequence[str]) -> dict[str, str]:
    """Return the variables of a job: each ``KEY=VALUE``, and each ``KEY`` with the value that it has here.

    Raises:
        UsageError: A name is none, a variable is not set here, or it is the cluster's token, which the nodes have.
    """
    variables = {}
    for text in given:
        name, equals, value = text.partition("=")
        if _VARIABLE.fullmatch(name) is None:
            raise UsageError(f"--env takes KEY=VALUE, or KEY for the value that it has here, not '{name}'")
        if name in TOKEN_VARIABLES:
            raise UsageError(f"--env {name} would show the token to whoever lists jobs; the cluster's nodes have it")
        if not equals and name not in os.environ:
            raise UsageError(f"--env {name} takes the value that it has here, and it has none")
        variables[name] = value if equals else os.environ[name]
    return variables


def fresh_id(search: str) -> str:
    """Return an id that no other job has."""
    return f"tuner-{search}-{secrets.token_hex(4)}"


def submit(
    server: JobServer,
    file: SearchFile,
    package: Package,
    *,
    options: Sequence[str],
    env: Mapping[str, str],
    job_id: str,
) -> tuple[Job, bool]:
    """Hand a search in; whoever hands the same file and options in again under the same id finds the first job.

    Args:
        server: Where.
        file: The search.
        package: What the job takes along.
        options: What ``tuner search`` takes besides.
        env: Environment variables of the job.
        job_id: Its id.

    Returns:
        The job, and whether it is new.

    Raises:
        UsageError: Another job has this id, or it is this search's and has failed or was stopped.
        ClusterError: The job server cannot be reached or refuses.
    """
    command = command_line(package, options)
    fingerprint = hashlib.sha256(file.text.encode()).hexdigest()[:16]
    there = server.find(job_id)
    if there is None:
        metadata = {SEARCH_KEY: file.name, RESULTS_KEY: file.results, FILE_KEY: fingerprint}
        server.submit(
            command, folder=package.folder, env={**_STOP_PATIENTLY, **env}, submission_id=job_id, metadata=metadata
        )
        return server.get(job_id), True
    if (there.command, there.file) != (command, fingerprint):
        raise UsageError(f"{server.address} has a job '{job_id}' that runs something else; choose another id")
    if there.ended and there.status != "SUCCEEDED":
        raise UsageError(f"the job '{job_id}' has ended ({there.status}); choose another id, and the search goes on")
    return there, False
