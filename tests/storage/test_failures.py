"""Object storage that fails, is slow, or does what it is asked while its answer gets lost: through a real proxy."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storage.proxy import Fault, Proxy, proxy_before
from tests.storage.server import S3Server, s3
from tuner.facts.errors import StorageError
from tuner.storage import client as module
from tuner.storage.objects import Objects
from tuner.storage.segments import SegmentStorage
from tuner.storage.stored_log import read_log, stored_log

__all__ = ["s3"]


@pytest.fixture
def proxy(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    with proxy_before(s3) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", running.url)
        module.client.cache_clear()
        yield running
    module.client.cache_clear()


def test_what_fails_for_a_moment_is_tried_again(proxy: Proxy, s3: S3Server) -> None:
    objects = Objects.at(s3.address("moment"))
    proxy.faults = [Fault(status=500, methods=("PUT",), times=1), Fault(status=503, methods=("GET",), times=1)]
    objects.put("a", b"1")
    assert objects.get("a") == b"1"
    assert [fault.met for fault in proxy.faults] == [1, 1]


def test_a_put_that_was_taken_though_its_answer_was_lost(proxy: Proxy, s3: S3Server, tmp_path: Path) -> None:
    objects = Objects.at(s3.address("lost"))
    storage = SegmentStorage(objects, tmp_path / "log")
    storage.lock()
    storage.append(b"one\n", sync=True)
    proxy.faults = [Fault(lost=True, methods=("PUT",), part="segments/", times=1)]
    storage.append(b"two\n", sync=True)
    storage.append(b"three\n", sync=True)
    storage.close()
    assert proxy.faults[0].met == 1
    assert read_log(objects) == b"one\ntwo\nthree\n"
    assert stored_log(objects).segments == 4


def test_an_answer_that_takes_too_long_is_not_waited_for(
    proxy: Proxy, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ANSWER_SECONDS", 1)
    module.client.cache_clear()
    objects = Objects.at(s3.address("slow"))
    objects.put("a", b"1")
    proxy.faults = [Fault(seconds=5, times=1)]
    assert objects.get("a") == b"1"


@pytest.mark.parametrize("seconds", [0, 2])
def test_an_answer_that_breaks_off_or_stalls_is_asked_for_again(
    proxy: Proxy, s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seconds: float
) -> None:
    monkeypatch.setattr(module, "_ANSWER_SECONDS", 0.5)
    module.client.cache_clear()
    objects = Objects.at(s3.address("half"))
    data = bytes(range(256)) * 10
    objects.put("a", data)
    proxy.faults = [Fault(half=seconds, methods=("GET",), times=1)]
    assert objects.get("a") == data
    proxy.faults = [Fault(half=seconds, methods=("GET",), times=1)]
    assert objects.download("a", tmp_path / "a") and (tmp_path / "a").read_bytes() == data
    assert proxy.faults[0].met == 1 and list(tmp_path.iterdir()) == [tmp_path / "a"]
    proxy.faults = [Fault(half=0)]
    with pytest.raises(StorageError, match="fails: it breaks connections off"):
        objects.download("a", tmp_path / "b")
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(status=500), "s3://bucket/away/a fails: the answer is 500"),
        (Fault(status=403), "s3://bucket/away/a fails: access is denied"),
        (Fault(seconds=1), "s3://bucket/away/a fails: it does not answer"),
        (None, "s3://bucket/away/a fails: it cannot be reached"),
    ],
)
def test_what_fails_for_good_is_one_sentence(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fault: Fault | None, said: str
) -> None:
    monkeypatch.setattr(module, "TRIES", 2)
    monkeypatch.setattr(module, "_ANSWER_SECONDS", 0.3)
    module.client.cache_clear()
    objects = Objects.at(proxy.server.address("away"))
    proxy.faults = [] if fault is None else [fault]
    with proxy.away() if fault is None else contextlib.nullcontext():
        for call in (
            lambda: objects.put("a", b""),
            lambda: objects.create("a", b""),
            lambda: objects.get("a"),
            lambda: objects.download("a", tmp_path / "a"),
        ):
            with pytest.raises(StorageError) as caught:
                call()
            assert str(caught.value) == said


@pytest.mark.parametrize("status", [200, 302])  # the latter says nothing of where to
def test_a_page_of_somebody_else_is_no_answer(proxy: Proxy, s3: S3Server, status: int) -> None:
    objects = Objects.at(s3.address("portal"))
    objects.put("a", b"1")
    proxy.faults = [Fault(status=status)]
    for call in (lambda: objects.get("a"), objects.list, objects.children, lambda: objects.exists("a")):
        with pytest.raises(StorageError, match="what answers there is no object storage"):
            call()
