"""What keeps a Ray that a command starts for itself to this machine and to this process."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from typing import Any

from tuner.facts.ray_token import MODE_VARIABLE, TOKEN_VARIABLES

#: Below it Ray makes names of up to 85 characters, and those of sockets have at most 107.
_LONGEST_PLACE = 20


@contextlib.contextmanager
def kept_private() -> Iterator[str | None]:
    """Let a Ray that is started inside listen on loopback alone, and want a token that only this user can know.

    Ray would listen on every interface, write a token that every user of the machine can read, and keep sockets and
    packages of code in a folder that every user can change. What the user says in Ray's own variables stays as it is.

    Yields:
        The folder for Ray's sessions, ``_temp_dir`` of ``ray.init``; None leaves it to Ray.
    """
    import ray._private.ray_constants as constants

    # Ray's own switch for systems on which it never forms clusters; its addresses are then 127.0.0.1.
    forms_clusters, constants.ENABLE_RAY_CLUSTER = constants.ENABLE_RAY_CLUSTER, False
    try:
        with _private_folder() as folder, _private_token():
            yield folder
    finally:
        constants.ENABLE_RAY_CLUSTER = forms_clusters


@contextlib.contextmanager
def _private_folder() -> Iterator[str | None]:
    """Yield a folder that nobody else can enter, removed at the end, unless the user has chosen."""
    if "RAY_TMPDIR" in os.environ:
        yield None
        return
    place = tempfile.gettempdir()
    short = place if len(place) <= _LONGEST_PLACE else "/tmp"  # noqa: S108 (what is made in it has a name of its own)
    with tempfile.TemporaryDirectory(prefix="tuner-", dir=short, ignore_cleanup_errors=True) as folder:
        yield f"{folder}/ray"  # which Ray opens to everybody


@contextlib.contextmanager
def _private_token() -> Iterator[None]:
    """Put a fresh token into the environment, which other users cannot read, unless the user has chosen."""
    import ray

    before = os.environ.get(MODE_VARIABLE)
    if before == "disabled" or any(name in os.environ for name in TOKEN_VARIABLES):
        yield
        return
    os.environ[TOKEN_VARIABLES[0]] = secrets.token_hex(32)
    os.environ[MODE_VARIABLE] = "token"
    _read_again(ray)
    try:
        yield
    finally:
        os.environ.pop(TOKEN_VARIABLES[0], None)
        if before is None:
            os.environ.pop(MODE_VARIABLE, None)
        _read_again(ray)


def _read_again(ray: Any) -> None:
    """Let Ray read its variables once more: it keeps what it has read, tokens too."""
    ray._raylet.Config.initialize("")
    ray._raylet.AuthenticationTokenLoader.instance().reset_cache()
