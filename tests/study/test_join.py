"""Clusters that cannot be joined; what is an address at all stands in ``security/test_addresses.py``."""

from __future__ import annotations

import socket
import time

import pytest

from tuner.facts.errors import ClusterError, UsageError
from tuner.study.join import joined_ray


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
