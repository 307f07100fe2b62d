"""Addresses of job servers: http or https, a host and a port, nothing else."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from tuner.facts.addresses import without_secrets
from tuner.facts.errors import UsageError

#: Where Ray's own tools look for a job server, in their order.
VARIABLES = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")

_SCHEMES = ("http", "https")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")


def job_server_address(given: str | None) -> str:
    """Return the address of a job server, such as ``http://head:8265``, without a slash at its end.

    Ray would import a Python module that is named by any other scheme, so nothing but http and https reaches it.

    Args:
        given: What ``--address`` said; None for what the environment says.

    Raises:
        UsageError: It is no such address, or there is none.
    """
    if given is not None:
        return _checked(given)
    for variable in VARIABLES:
        value = os.environ.get(variable, "")
        if value.partition("://")[0].lower() in _SCHEMES:
            return _checked(value)
    raise UsageError("--address is missing: the cluster's job server, such as http://HEAD:8265")


def _checked(text: str) -> str:
    problem = UsageError(
        f"'{without_secrets(text)}' is no address of a job server; it is http://HOST:PORT or https://HOST:PORT"
    )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise problem from None
    bare = parts.netloc.removesuffix("" if port is None else f":{port}")
    address = f"{parts.scheme}://{parts.netloc}"
    if parts.scheme not in _SCHEMES or port == 0 or text not in (address, f"{address}/") or not _HOST.fullmatch(bare):
        raise problem
    return address
