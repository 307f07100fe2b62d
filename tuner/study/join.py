"""Joining a Ray cluster that is already running, by its address."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
from collections.abc import Iterator

from tuner.facts.errors import ClusterError, UsageError
from tuner.facts.ray_token import use_token

DEFAULT_PORT = 6379  # of a head node, unless it was started with another one

#: A host name, an IPv4 address or an IPv6 address in brackets, and perhaps a port. Nothing with ``://``: Ray would
#: import the module that an unknown scheme names.
_ADDRESS = re.compile(r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?")

_CONNECT_SECONDS = 10.0


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
def joined_ray(address: str) -> Iterator[None]:
    """Join a running cluster for this process, and leave it at the end; what runs on it for others is not touched.

    Args:
        address: See ``checked_address``.

    Raises:
        UsageError: It is no address.
        ClusterError: The cluster cannot be reached, wants another token, or runs another version of Ray.
    """
    address = checked_address(address)
    if address == "auto" and (named := os.environ.get("RAY_ADDRESS", "auto")) != "auto":
        address = checked_address(named)
    if address != "auto":
        _refuse_silence(address)
    use_token()
    import ray

    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
    except Exception as error:
        raise ClusterError(_sentence(address, error)) from error
    try:
        yield
    finally:
        ray.shutdown()


def _refuse_silence(address: str) -> None:
    """Refuse at once an address at which nothing listens: Ray would try for a minute."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise ClusterError(f"no Ray cluster answers at {address}: {error.strerror or error}") from error


def _sentence(address: str, error: Exception) -> str:
    place = "a Ray cluster on this machine" if address == "auto" else f"the Ray cluster at {address}"
    return f"{place} cannot be joined: {' '.join(str(error).split())}"
