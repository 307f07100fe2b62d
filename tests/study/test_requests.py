"""Requests to a running search."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cluster.nodes import until
from tests.study.searches import SPACE, SearchProcess, assert_exactly_once, history, prepare, search
from tuner.cli.main import main
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


def test_no_requests_and_no_folder(tmp_path: Path) -> None:
    with Requests(tmp_path, lambda text: None) as heard:
        assert not heard.stop
    assert not (tmp_path / "requests").exists()


def test_nothing_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.cli.test_status import search as written

    written(tmp_path)
    assert main(["stop", "--results", str(tmp_path)]) == 2
    assert "demo does not run, so there is nothing to stop" in capsys.readouterr().err
    assert not (tmp_path / "demo" / "requests").exists()


@pytest.mark.slow
def test_a_search_that_was_asked_to_stop_ends_in_good_order_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(tmp_path, space=SPACE)
    running = SearchProcess(tmp_path, epoch_seconds=0.3)
    running.until_epochs(20)
    follower = SearchProcess(tmp_path, epoch_seconds=0.3)  # a second driver is refused and disturbs nothing
    assert follower.wait()[0] == 5
    assert main(["stop", "s", "--results", str(tmp_path / "results"), "--json"]) == 0
    captured = capsys.readouterr()
    record = json.loads(captured.out)
    assert record["reason"] == "stopped" and not record["live"] and "stopped s after" in captured.err
    code, out, err = running.wait()
    assert code in (0, 1) and "stopped, as 'tuner stop' asked; go on with: tuner search space.yaml --resume" in err
    assert "interrupted" in out
    before = {n: trial.end for n, trial in history(tmp_path).trials.items() if trial.end is not None}
    code, _, err = search(tmp_path, "--resume")
    assert code == 0, err
    assert_exactly_once(tmp_path, 12)
    assert before.items() <= {n: trial.end for n, trial in history(tmp_path).trials.items()}.items()
