"""The lease of what lies below a prefix, against a real S3 server."""

from __future__ import annotations

import dataclasses
import time

import pytest

from tests.storage.server import S3Server, s3
from tuner.facts.errors import ResultsHeldError
from tuner.storage import lease
from tuner.storage.lease import NAME, Lease
from tuner.storage.objects import Objects

__all__ = ["s3"]

OTHERS = b'{"process": 1, "host": "there", "writer": "it"}'


class Beaten(Objects):
    """The storage as one meets it whose put arrives just after another one's."""

    beaten = True

    def create(self, name, data, *, metadata=None):
        if self.beaten:
            self.put(name, OTHERS)
        return super().create(name, data, metadata=metadata)

    def replace(self, name, data, before):
        self.put(name, OTHERS)
        return super().replace(name, data, before)

    def discard(self, name, before):
        if self.beaten:
            self.put(name, OTHERS)
        return super().discard(name, before)


def test_of_two_that_come_at_once_one_is_refused(s3: S3Server) -> None:
    objects = Beaten.at(s3.address("at-once"))
    with pytest.raises(ResultsHeldError, match=r"held by a running search \(process 1 on there\)"):
        Lease(objects).acquire()
    assert objects.get(NAME) == OTHERS


def test_of_two_that_take_over_at_once_one_is_refused(s3: S3Server) -> None:
    objects = Beaten.at(s3.address("take-over"))
    objects.put(NAME, f'{{"machine": "{lease._machine()}", "process": 4194304999}}'.encode())
    with pytest.raises(ResultsHeldError, match=r"held by a running search \(process 1 on there\)"):
        Lease(objects).acquire()
    assert objects.get(NAME) == OTHERS


def test_a_put_that_was_on_its_way_for_long_displaces_no_other_writers_lease(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "_BEAT_SECONDS", 0.05)
    objects = Beaten.at(s3.address("late"))
    objects.beaten = False
    asleep = Lease(objects)
    asleep.acquire()
    wait_for(lambda: objects.get(NAME) == OTHERS)
    asleep.release()
    assert objects.get(NAME) == OTHERS


def test_a_removal_that_was_on_its_way_for_long_removes_no_other_writers_lease(s3: S3Server) -> None:
    objects = Beaten.at(s3.address("late-removal"))
    objects.beaten = False
    asleep = Lease(objects)
    asleep.acquire()
    asleep.release()
    assert objects.get(NAME) is None
    asleep = Lease(objects)
    asleep.acquire()
    objects.beaten = True
    asleep.release()
    assert objects.get(NAME) == OTHERS


def test_where_the_clocks_of_a_storage_disagree_nobody_waits_for_ever(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Behind(Objects):
        def read(self, name):
            content = super().read(name)
            return content and dataclasses.replace(content, now=content.modified)

    monkeypatch.setattr(lease, "_LIFETIME_SECONDS", 0.5)
    monkeypatch.setattr(lease, "_LOOK_SECONDS", 0.05)
    objects = Behind.at(s3.address("clocks"))
    objects.put(NAME, OTHERS)
    held = Lease(objects)
    held.acquire()
    held.release()


def wait_for(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
