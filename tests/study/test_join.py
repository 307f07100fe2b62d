"""Addresses of clusters: what is one, and what happens where none answers."""

from __future__ import annotations

import socket
import time

import pytest

from tuner.facts.errors import ClusterError, UsageError
from tuner.study.join import checked_address, joined_ray


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("auto", "auto"),
        ("head", "head:6379"),
        ("head:7000", "head:7000"),
        ("10.0.0.1:6380", "10.0.0.1:6380"),
        ("[::1]:6380", "[::1]:6380"),
        ("ray-head.default.svc", "ray-head.default.svc:6379"),
    ],
)
def test_an_address_becomes_what_ray_takes(text: str, address: str) -> None:
    assert checked_address(text) == address


@pytest.mark.parametrize(
    "text",
    ["", "ray://head:10001", "os://head", "head:", "head:0", "head:99999", "head:1:2", "a b", "-h", "h\n"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """Ray would import a module that the scheme of an address names."""
    with pytest.raises(UsageError, match="--address takes auto, HOST or HOST:PORT"):
        checked_address(text)


def test_an_address_in_the_environment_is_no_way_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "os://head")
    with pytest.raises(UsageError, match="os://head"), joined_ray("auto"):
        pass


def test_where_nothing_listens_is_said_at_once() -> None:
    with socket.socket() as bound:  # and never listening
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        began = time.monotonic()
        refused = f"no Ray cluster answers at {address}: Connection refused"
        with pytest.raises(ClusterError, match=refused), joined_ray(address):
            pass
    assert time.monotonic() - began < 60
