"""Ray imports the module that an unknown scheme names, so that none reaches it."""

from __future__ import annotations

import pytest

from tuner.facts.errors import UsageError
from tuner.study.join import checked_address


@pytest.mark.parametrize(
    "text",
    [
        *("evil://head", "evil://head:6379", "ray://head:10001", "http://head:8265", "evil:module", "", "[::1"),
        *("head:", "head:0", "head:65536", "head:1:2", "head:6379/x", "aaaaaaaaa:b", "../head"),
        *("user@head", "head 1", "head\n", "-head"),
    ],
)
def test_what_is_no_host_and_port_never_reaches_ray(text: str) -> None:
    with pytest.raises(UsageError, match="--address takes"):
        checked_address(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("auto", "auto"),
        ("local", "local:6379"),  # Ray's own word for a new cluster is a host's name here
        ("head", "head:6379"),
        ("ray-head.default.svc", "ray-head.default.svc:6379"),
        ("10.0.0.1:1234", "10.0.0.1:1234"),
        ("[::1]:5", "[::1]:5"),
    ],
)
def test_hosts_and_ports_do(text: str, address: str) -> None:
    assert checked_address(text) == address
