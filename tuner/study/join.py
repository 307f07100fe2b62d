"""Joining a Ray cluster that is already running, by its address."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from tuner.facts.errors import ClusterError, UsageError
from tuner.facts.ray_token import token_problem, use_token

DEFAULT_PORT = 6379  # of a head node, unless it was started with another one

#: A host name, an IPv4 address or an IPv6 address in brackets, and perhaps a port. Nothing with ``://``: Ray would
#: import the module that an unknown scheme names.
_ADDRESS = re.compile(r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?")

_CONNECT_SECONDS = 10.0

#: In what Ray says where versions differ.
_VERSIONS = re.compile(r"Ray: (\S+) Python: (\S+)")

#: What processes on all nodes find in their environment.
WORKER_ENVIRONMENT = {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1"}  # trials that asked for no GPU see none


def checked_address(text: str) -> str:
    """Return an address as Ray takes it: ``auto``, or HOST:PORT.

    Raises:
        UsageError: It is neither ``auto`` nor HOST nor HOST:PORT.
    """
    if text == "auto":
        return text
    found = _ADDRESS.fullmatch(text)
    if found is None or not 0 < int(found["port"] or DEFAULT_PORT) < 2**16:
        raise UsageError(f"--address takes auto, HOST or HOST:PORT, not '{text}'")
    return f"{found['host']}:{found['port'] or DEFAULT_PORT}"


@contextlib.contextmanager
def joined_ray(address: str, code: Path | None = None) -> Iterator[None]:
    """Join a running cluster for this process, and leave it at the end; what runs on it for others is not touched.

    Args:
        address: See ``checked_address``. ``auto`` is the cluster of the job that this process is, or of this machine.
        code: A folder that workers run in a copy of, for trainables of one's own; None for none.

    Raises:
        UsageError: It is no address.
        ClusterError: The cluster cannot be reached, wants another token, or runs another version of Ray.
    """
    address = checked_address(address)
    use_token()
    import ray

    place = _found() if address == "auto" else address
    _refuse_silence(place)
    _refuse_strangers(place)
    # What this process says of code and variables, and what a job around it says, would otherwise exclude each other.
    os.environ.setdefault("RAY_OVERRIDE_JOB_RUNTIME_ENV", "1")
    runtime_env = {"env_vars": WORKER_ENVIRONMENT} | ({} if code is None else {"working_dir": str(code)})
    try:
        ray.init(address=place, runtime_env=runtime_env, log_to_driver=False, logging_level=logging.CRITICAL)
    except Exception as error:
        raise ClusterError(_sentence(place, error)) from error
    try:
        yield
    finally:
        ray.shutdown()


def _found() -> str:
    """Return where ``auto`` leads."""
    from ray._private import services

    if (named := os.environ.get("RAY_ADDRESS", "auto")) != "auto":
        return checked_address(named)
    found = services.canonicalize_bootstrap_address("auto")
    if found is None:
        raise ClusterError("no Ray cluster runs on this machine; --address HOST:PORT says where one does")
    return str(found)


def _refuse_silence(address: str) -> None:
    """Refuse at once an address at which nothing listens: Ray would try for a minute."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise ClusterError(f"no Ray cluster answers at {address}: {error.strerror or error}") from error


def _refuse_strangers(address: str) -> None:
    """Refuse what is no Ray, and a Ray that refuses this process: ``ray.init`` would ask twenty times."""
    from ray import _raylet
    from ray._private.services import find_node_ids
    from ray.exceptions import AuthenticationError, RayError

    try:
        with _quiet():
            _raylet.GcsClient(address=address)  # type: ignore[attr-defined]
    except AuthenticationError as error:
        raise ClusterError(f"the Ray cluster at {address} {token_problem()}") from error
    except RayError as error:
        raise ClusterError(f"no Ray cluster answers at {address}: what listens there is something else") from error
    if not find_node_ids():
        raise ClusterError(
            f"this machine is no node of the Ray cluster at {address}; run the command on one, "
            "or hand the search in with tuner submit"
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what Ray's own library prints about a failure off the terminal: it is told once, by us."""
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _sentence(address: str, error: Exception) -> str:
    text = " ".join(str(error).split())
    if text.startswith("Version mismatch"):
        theirs, *ours = (f"Ray {found[1]} on Python {found[2]}" for found in _VERSIONS.finditer(text))
        return f"the cluster at {address} runs {theirs} and this is {' '.join(ours)}; both must be the same"
    return f"the Ray cluster at {address} cannot be joined: {text}"
