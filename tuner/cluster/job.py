"""One job of a cluster, as far as a search is concerned."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tuner.facts.errors import ExitCode, UsageError

#: What Ray calls the states of a job in which nothing more happens.
ENDED = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})

#: What a job remembers of its search: key of Ray's metadata. The last is its file's ``fingerprint``.
SEARCH_KEY, RESULTS_KEY, FILE_KEY = "tuner_search", "tuner_results", "tuner_file"

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SHELL_FOUND_NO_COMMAND = 127


@dataclass(frozen=True)
class Job:
    """A job.

    Attributes:
        id: Its submission id.
        status: PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED.
        search: Name of the search; None for a job that is none of ours.
        results: Where the search's results lie; None as above.
        file: Fingerprint of the search file; None as above, and where KubeRay submitted it.
        command: What runs.
        message: What Ray says of it; empty where it says nothing.
        driver_exit_code: What the command ended with; None while it runs, and where it was stopped or lost.
        started_at: Seconds since the epoch.
        ended_at: Seconds since the epoch; None while it runs.
    """

    id: str
    status: str
    search: str | None
    results: str | None
    file: str | None
    command: str
    message: str
    driver_exit_code: int | None
    started_at: float | None
    ended_at: float | None

    @classmethod
    def from_ray(cls, details: Any) -> Job:
        """Return what Ray's ``JobDetails`` says; its environment variables are left out, for they may be secret."""
        metadata: Mapping[str, str] = details.metadata or {}
        return cls(
            id=details.submission_id or details.job_id,
            status=str(details.status),
            search=metadata.get(SEARCH_KEY),
            results=metadata.get(RESULTS_KEY),
            file=metadata.get(FILE_KEY),
            command=details.entrypoint,
            message=details.message or "",
            driver_exit_code=details.driver_exit_code,
            started_at=None if details.start_time is None else details.start_time / 1000,
            ended_at=None if not details.end_time else details.end_time / 1000,
        )

    @property
    def ended(self) -> bool:
        """Whether nothing more happens."""
        return self.status in ENDED

    @property
    def exit_code(self) -> int:
        """The search's own exit code, once the job has ended."""
        if self.driver_exit_code is not None and self.driver_exit_code >= 0:
            return ExitCode.CLUSTER if self.without_tuner else self.driver_exit_code
        return ExitCode.SIGTERM if self.status == "STOPPED" else ExitCode.CLUSTER

    @property
    def without_tuner(self) -> bool:
        """Whether the job failed because the cluster does not know the command."""
        return self.driver_exit_code == _SHELL_FOUND_NO_COMMAND

    @property
    def reason(self) -> str:
        """Why it ended as it did, in one line."""
        if self.without_tuner:
            return "there is no command 'tuner' on the cluster's head; install it on every node, or use its image"
        line = self.message.partition("\n")[0]
        return line.partition(", last available logs")[0]

    def to_json(self) -> dict[str, Any]:
        """Return it as ``--json`` prints it."""
        return {**asdict(self), "exit_code": int(self.exit_code) if self.ended else None}


def checked_id(text: str) -> str:
    """Return a job's id.

    Raises:
        UsageError: It would not be safe in an address.
    """
    if _ID.fullmatch(text) is None:
        raise UsageError(
            f"'{text}' is no id of a job: it has 1 to 128 letters, digits, '.', '_', '-', and begins with one"
            " of the first two"
        )
    return text
