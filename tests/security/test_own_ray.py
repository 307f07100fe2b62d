"""A Ray that a search starts for itself is out of reach for everybody else."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

import pytest
import ray

from tuner.study.resources import local_ray

VARIABLES = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


def listening(processes):
    import psutil

    numbers = {process.pid for process in processes}
    connections = psutil.net_connections("inet")
    return {item.laddr.ip for item in connections if item.status == psutil.CONN_LISTEN and item.pid in numbers}


def arguments(processes):
    """Return the arguments of all processes that have not ended meanwhile."""
    import psutil

    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            found += process.cmdline()
    return found


def holding(folder, content):
    """Return the files that hold some bytes; Ray writes there, and removes some, all the time."""
    found = []
    for place, _, names in os.walk(folder):
        for file in (Path(place, name) for name in names):
            with contextlib.suppress(FileNotFoundError):
                if file.is_file() and content in file.read_bytes():
                    found.append(file)
    return found


@pytest.mark.slow
def test_it_listens_on_loopback_and_wants_a_token_that_nobody_else_can_read(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    for name in (*VARIABLES, "RAY_TMPDIR", "TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    import psutil  # ray carries it

    me = psutil.Process()
    with local_ray():
        own = [me, *me.children(recursive=True)]
        token = os.environ["RAY_AUTH_TOKEN"]
        addresses = listening(own)
        session = Path(ray._private.worker._global_node.get_session_dir_path())
        lines = arguments(own)
        written = holding(session, token.encode())
        assert ray._raylet.get_authentication_mode() == ray._raylet.AuthenticationMode.TOKEN
        entered = [path for path in (session, *session.parents) if path.exists() and path.stat().st_mode & 0o077 == 0]
    assert entered, "another user can go into the folder of the session"
    assert not session.exists()
    assert addresses and all(address.removeprefix("::ffff:").startswith("127.") for address in addresses)
    assert len(token) == 64
    assert not [word for word in lines if token in word]
    assert written == []
    assert not (tmp_path / ".ray").exists(), "Ray's own token file is readable for all"
    assert not any(name in os.environ for name in VARIABLES)


def test_what_the_user_says_about_tokens_stays(monkeypatch):
    from tuner.study.own_ray import kept_private

    for name, value in (("RAY_AUTH_MODE", "disabled"), ("RAY_AUTH_TOKEN", "t" * 40), ("RAY_AUTH_TOKEN_PATH", "file")):
        with monkeypatch.context() as patch:
            for other in VARIABLES:
                patch.delenv(other, raising=False)
            patch.setenv(name, value)
            with kept_private():
                assert {key: os.environ[key] for key in VARIABLES if key in os.environ} == {name: value}
