"""Requests to a running search."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.nodes import until
from tuner.study import requests
from tuner.study.requests import Requests, ask_to_stop


def test_a_request_is_taken_away_and_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "_LOOK_SECONDS", 0.02)
    said: list[str] = []
    ask_to_stop(tmp_path)  # of an earlier driver
    (tmp_path / "requests" / "note.txt").touch()
    with Requests(tmp_path, said.append) as heard:
        assert not heard.stop and list((tmp_path / "requests").iterdir()) == [tmp_path / "requests" / "note.txt"]
        ask_to_stop(tmp_path)
        until(lambda: heard.stop, 30)
        until(lambda: len(list((tmp_path / "requests").iterdir())) == 1, 30)
    assert len(said) == 1 and "note.txt, which is no request" in said[0]


def test_what_is_asked_while_a_driver_starts_is_asked_of_it(tmp_path: Path) -> None:
    requests = Requests(tmp_path, lambda text: None)  # and then the lock, Ray, the data
    ask_to_stop(tmp_path)
    with requests as heard:
        assert heard.stop


def test_no_requests_and_no_folder(tmp_path: Path) -> None:
    with Requests(tmp_path, lambda text: None) as heard:
        assert not heard.stop
    assert not (tmp_path / "requests").exists()
