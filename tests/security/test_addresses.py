"""Addresses: Ray imports the module that an unknown scheme names, so that none reaches it; passwords stay unsaid."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.space.searchfiles import SMALL, read
from tuner.facts.errors import SearchFileError, UsageError
from tuner.storage.objects import Objects
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


@pytest.mark.parametrize("address", ["s3://u:secret@bucket/x", "s3://u:sec/secret@bucket/x", "https://u:secret@host/x"])
def test_a_password_in_an_address_of_results_is_not_repeated(tmp_path: Path, address: str) -> None:
    for text, overrides in ((f"results: {address}\n{SMALL}", ()), (SMALL, (f"results={address}",))):
        with pytest.raises(SearchFileError) as refused:
            read(tmp_path, text, *overrides)
        assert "://***@" in str(refused.value) and "sec" not in str(refused.value)
    if address.startswith("s3:"):
        with pytest.raises(UsageError) as refused_at_work:
            Objects.at(address)
        assert "sec" not in str(refused_at_work.value)
