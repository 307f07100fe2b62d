"""``tuner logs`` of results: a line for each event, or what a trial printed."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from tests.cli.test_status import search
from tests.leaderboard.logs import NOON, demo, trial
from tuner.cli import logs
from tuner.cli.main import main
from tuner.cli.status import goes_on
from tuner.facts.records import State
from tuner.journal.events import EVENTS, Close, Retry
from tuner.journal.lock import FolderLock


def call(capsys: pytest.CaptureFixture[str], results: Path, *words: str) -> str:
    assert main(["logs", "--results", str(results), *words]) == 0
    return capsys.readouterr().out


def test_a_line_for_each_event(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = [*trial(0, [0.5], error="Error: it\nfailed", state=State.FAILED, reason="error")]
    events.insert(2, Retry(at=NOON + 5, n=0, attempt=2, reason="its process was lost", lost=True))
    search(tmp_path, *events, Close(at=NOON + 60, reason="trials", seconds=60))
    lines = call(capsys, tmp_path).splitlines()
    assert lines[0] == "2026-01-31 18:00:00  the driver began: 9 trials, 2 side by side"
    assert lines[1].startswith("2026-01-31 18:00:00  trial 0 proposed (random): model cnn, optimizer adamw, lr 0.01")
    assert lines[2:] == [
        "2026-01-31 18:00:02  trial 0 began on alpha (cpu)",
        "2026-01-31 18:00:05  trial 0 again, attempt 2: its process was lost",
        "2026-01-31 18:00:12  trial 0 epoch 1: val_accuracy 0.5 (10.0 s)",
        "2026-01-31 18:00:13  trial 0 failed (error): Error: it failed",
        "2026-01-31 18:01:00  the driver ended after 1m00s: trials",
    ]


def test_nodes_of_a_cluster_have_the_names_of_the_leaderboard(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    search(tmp_path, *trial(0, [0.5], node="a" * 56), *trial(1, [0.5], node="b" * 56), *trial(2, [0.5], node="a" * 56))
    began = [line.split("began on ")[1] for line in call(capsys, tmp_path).splitlines() if "began on" in line]
    assert began == ["node-1 (cpu)", "node-2 (cpu)", "node-1 (cpu)"]


def test_following_a_search_whose_driver_was_killed_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    search(tmp_path, *trial(0, [0.5], state=None))
    assert main(["logs", "--results", str(tmp_path), "--follow"]) == 0
    assert capsys.readouterr().err == f"demo: interrupted: nobody runs it; {goes_on('demo')}\n"
    assert main(["logs", "--results", str(tmp_path)]) == 0
    assert capsys.readouterr().err == ""


def test_every_event_has_a_line() -> None:
    assert logs._STORIES.keys() == EVENTS.keys()


def test_the_events_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    search(tmp_path, *demo()[1:])
    record = json.loads(call(capsys, tmp_path, "--json"))
    assert record["search"] == "demo" and record["events"][0]["type"] == "open"
    assert len(record["events"]) == len(demo())
    lines = call(capsys, tmp_path, "--json", "--follow").splitlines()
    assert [json.loads(line) for line in lines] == record["events"]


def test_what_a_trial_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = search(tmp_path, *demo()[1:])
    (folder / "logs").mkdir()
    (folder / "logs" / "1.log").write_bytes("größer\nlast".encode())
    assert call(capsys, tmp_path, "demo", "1") == "größer\nlast\n"
    assert json.loads(call(capsys, tmp_path, "demo", "1", "--json"))["log"] == "größer\nlast"
    assert main(["logs", "--results", str(tmp_path), "demo", "2"]) == 0
    assert capsys.readouterr().err == "trial 2 printed nothing\n"
    assert main(["logs", "--results", str(tmp_path), "demo", "77"]) == 2


def test_what_a_trial_prints_is_followed_line_by_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_LOOK_SECONDS", 0.05)
    folder = search(tmp_path, *trial(0, [0.5], state=None))
    (folder / "logs").mkdir()
    (folder / "logs" / "0.log").write_text("one\ntw")
    lock = FolderLock(folder)
    lock.acquire()
    follower = threading.Thread(target=main, args=(["logs", "--results", str(tmp_path), "demo", "0", "--follow"],))
    follower.start()
    seen = ""
    while "one\n" not in seen:
        seen += capsys.readouterr().out
        time.sleep(0.02)
    assert seen == "one\n" and follower.is_alive()
    with (folder / "logs" / "0.log").open("a") as file:
        file.write("o\nthree\n")
    while "three\n" not in seen:
        seen += capsys.readouterr().out
        time.sleep(0.02)
    lock.release()
    follower.join(60)
    assert not follower.is_alive() and seen + capsys.readouterr().out == "one\ntwo\nthree\n"


def test_a_damaged_description(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (search(tmp_path) / "search.json").write_text('{"settings": [[[')
    assert main(["logs", "--results", str(tmp_path)]) == 5
    assert "search.json is damaged" in " ".join(capsys.readouterr().err.split())
    (tmp_path / "demo" / "search.json").unlink()
    assert main(["logs", "--results", str(tmp_path)]) == 2
    assert "demo holds no search that has begun" in " ".join(capsys.readouterr().err.split())


def test_a_job_needs_its_id(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["logs", "--address", "http://head:8265"]) == 2
    assert "which job?" in capsys.readouterr().err
