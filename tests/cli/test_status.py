"""``tuner status`` of results: of the log's words, what a person wants to know."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.leaderboard.logs import NOON, demo, trial, write_search
from tests.leaderboard.test_rung_correlation import judged
from tuner.cli.main import main
from tuner.cli.status import _table, goes_on
from tuner.cluster.job import Job
from tuner.facts.records import State
from tuner.journal.events import Close, Event, Open
from tuner.journal.lock import FolderLock
from tuner.leaderboard import status


def search(folder: Path, *events: Event, trials: int = 9, time_budget: float | None = None) -> Path:
    """Write a search that was taken up at noon with two slots."""
    written = write_search(folder / "demo", [Open(at=NOON, slots=2, trials=trials), *events], close=False)
    description = json.loads((written / "search.json").read_text())
    settings = {"settings": {"search": {"trials": trials, "time_budget": time_budget}}}
    (written / "search.json").write_text(json.dumps({**description, **settings}))
    return written


def call(capsys: pytest.CaptureFixture[str], results: Path, *words: str) -> str:
    assert main(["status", "--results", str(results), *words]) == 0
    return capsys.readouterr().out


def test_a_search_that_was_interrupted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    search(tmp_path, *demo()[1:])
    lines = call(capsys, tmp_path).splitlines()
    assert lines[0] == f"demo: interrupted: nobody runs it; {goes_on('demo')}"
    assert lines[1] == (
        "  trials     6 of 9 ended: 1 interrupted, 2 completed, 1 stopped, 1 diverged, 1 out_of_memory, 1 failed"
    )
    assert "  best       val_accuracy 0.9 (trial 1)" in lines
    assert "  began      2026-01-31 18:00:00 UTC, 10m12s of active time" in lines
    assert not any("left" in line or "ago" in line for line in lines)
    assert json.loads(call(capsys, tmp_path, "--json"))["active_seconds"] == 612


def test_a_search_that_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of nine trials took 200 seconds, so that seven take 700; the budget leaves 400."""
    folder = search(tmp_path, *trial(0, [0.5]), *trial(1, [0.7]), *trial(2, [0.6], state=None), time_budget=600)
    monkeypatch.setattr(status.time, "time", lambda: NOON + 200)
    lock = FolderLock(folder)
    lock.acquire()
    try:
        record = json.loads(call(capsys, tmp_path, "--json"))
        text = call(capsys, tmp_path, "demo")
    finally:
        lock.release()
    assert (record["live"], record["ended"], record["trials"], record["slots"]) == (True, 2, 9, 2)
    assert record["states"] == {"running": 1, "completed": 2}
    assert (record["best_score"], record["best_trial"], record["seconds_left"]) == (0.7, 1, 400)
    assert record["active_seconds"] == 200 and record["holder"].startswith("process ")
    assert text.startswith("demo: running (process ") and "1 in use; 2 when it began" in text and "about" not in text


def test_the_time_left_is_foretold_once_four_trials_have_ended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = search(tmp_path, *(event for number in range(4) for event in trial(number, [0.5])))
    monkeypatch.setattr(status.time, "time", lambda: NOON + 400)
    lock = FolderLock(folder)
    lock.acquire()
    try:
        assert "  left       about 8m20s" in call(capsys, tmp_path).splitlines()
    finally:
        lock.release()


def test_a_failed_job_shows_its_exit_code_in_the_table() -> None:
    of = {"search": "s", "results": None, "file": None, "command": "", "message": "", "ended_at": 1.0}
    jobs = [
        Job(id="a", status="FAILED", driver_exit_code=1, started_at=0.0, **of),
        Job(id="bb", status="SUCCEEDED", driver_exit_code=0, started_at=0.0, **of),
    ]
    assert _table(jobs) == [
        "a   FAILED (1)  1970-01-01 00:00:00 UTC",
        "bb  SUCCEEDED   1970-01-01 00:00:00 UTC",
    ]


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("trials", "finished"),
        ("stopped", f"stopped; {goes_on('demo')}"),
        ("paused", f"paused; {goes_on('demo')}"),
        ("SIGTERM", f"interrupted; {goes_on('demo')}"),
    ],
)
def test_a_search_that_was_let_go_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], reason: str, said: str
) -> None:
    search(
        tmp_path, *trial(0, [0.5]), *trial(1, [0.7], State.STOPPED), Close(at=NOON + 300, reason=reason, seconds=300)
    )
    text = call(capsys, tmp_path, "--follow")  # which ends, since nothing more will happen
    assert text.splitlines()[0] == f"demo: {said}" and "5m00s of active time" in text


def test_no_search(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--results", str(tmp_path)]) == 2
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "events.jsonl").touch()
    assert main(["status", "--results", str(tmp_path)]) == 2
    assert "demo holds no search that has begun" in " ".join(capsys.readouterr().err.split())


def test_a_damaged_description(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (search(tmp_path) / "search.json").write_text('{"settings": [[[')
    assert main(["status", "--results", str(tmp_path)]) == 5
    assert "search.json is damaged" in " ".join(capsys.readouterr().err.split())


def test_it_says_whether_rungs_rank(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = [event for n in range(12) for event in judged(n, [0.01 * n, 0.001 * (n % 4), 0.05 * n], [1, 2])]
    search(tmp_path, *events, trials=12)
    lines = call(capsys, tmp_path).splitlines()
    (line,) = (line for line in lines if line.startswith("  rungs "))
    assert (
        "rank correlation with the final score: at epoch 1 1.00 (" in line
        and "12 trials; it stopped none), at epoch 2 0." in line
    )
    first, second = json.loads(call(capsys, tmp_path, "--json"))["rungs"]
    assert first["epoch"] == 1 and first["completed"]["value"] == 1
    assert second["epoch"] == 2 and second["completed"]["trials"] == 12
    assert first["completed"]["low"] < 1 == first["completed"]["high"]
