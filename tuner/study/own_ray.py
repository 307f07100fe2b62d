"""What keeps a Ray that a command starts for itself to this machine and to this process."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from typing import Any

_MODE = "RAY_AUTH_MODE"
_TOKENS = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


@contextlib.contextmanager
def kept_private() -> Iterator[None]:
    """Let a Ray that is started inside listen on loopback alone, and want a token that only this user can know.

    Ray would listen on every interface, and write a token that every user of the machine can read. What the user says
    in Ray's own variables about tokens stays as it is.
    """
    import ray._private.ray_constants as constants

    # Ray's own switch for systems on which it never forms clusters; its addresses are then 127.0.0.1.
    forms_clusters, constants.ENABLE_RAY_CLUSTER = constants.ENABLE_RAY_CLUSTER, False
    try:
        with _private_token():
            yield
    finally:
        constants.ENABLE_RAY_CLUSTER = forms_clusters


@contextlib.contextmanager
def _private_token() -> Iterator[None]:
    """Put a fresh token into the environment, which other users cannot read, unless the user has chosen."""
    import ray

    before = os.environ.get(_MODE)
    if before == "disabled" or any(name in os.environ for name in _TOKENS):
        yield
        return
    os.environ[_TOKENS[0]] = secrets.token_hex(32)
    os.environ[_MODE] = "token"
    _read_again(ray)
    try:
        yield
    finally:
        os.environ.pop(_TOKENS[0], None)
        if before is None:
            os.environ.pop(_MODE, None)
        _read_again(ray)


def _read_again(ray: Any) -> None:
    """Let Ray read its variables once more: it keeps what it has read, tokens too."""
    ray._raylet.Config.initialize("")
    ray._raylet.AuthenticationTokenLoader.instance().reset_cache()
