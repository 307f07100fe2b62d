"""The way to a job server: the token first, then Ray, which reads the environment when it is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuner.cluster.address import job_server_address
from tuner.facts.errors import UsageError
from tuner.facts.ray_token import use_token

if TYPE_CHECKING:
    from tuner.cluster.server import JobServer


def connect(address: str | None) -> JobServer:
    """Return the job server at an address, or at the one that the environment names.

    Args:
        address: What ``--address`` said, or None.

    Raises:
        UsageError: There is no such address, or what speaks to job servers is not installed.
        ClusterError: Nothing answers there, it refuses, or it is no job server that can run a search.
    """
    checked = job_server_address(address)
    use_token()
    try:
        from tuner.cluster.server import JobServer
    except ImportError as error:
        raise UsageError(f"jobs need {error.name or 'more of Ray'}: pip install 'tuner[cluster]'") from error
    return JobServer(checked)
