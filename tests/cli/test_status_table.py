"""``tuner status`` of a results folder that holds several searches: a row each; what needs one search still asks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.leaderboard.logs import INFO, NOON, demo, trial, write_search
from tuner.cli.main import main
from tuner.facts.records import State
from tuner.journal.events import Close, Event, Open
from tuner.journal.lock import FolderLock


def written(results: Path, name: str, events: Sequence[Event], *, trials: int = 9) -> Path:
    """Write a search that was taken up at noon."""
    folder = write_search(results / name, [Open(at=NOON, slots=2, trials=trials), *events], close=False)
    record = {"version": 1, **INFO.to_json(), "search": name}
    record["settings"] = {"search": {"trials": trials, "time_budget": None}}
    (folder / "search.json").write_text(json.dumps(record))
    return folder


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """One search that was killed, one that is finished, one that had no time to end a trial."""
    written(tmp_path, "cut", demo()[1:])
    ended = [*trial(0, [0.5]), *trial(1, [0.75], State.STOPPED), Close(at=NOON + 300, reason="trials", seconds=300)]
    written(tmp_path, "done", ended, trials=2)
    written(tmp_path, "early", [], trials=1000)
    return tmp_path


def call(capsys: pytest.CaptureFixture[str], results: Path, *words: str, code: int = 0) -> tuple[str, str]:
    assert main(["status", "--results", str(results), *words]) == code
    captured = capsys.readouterr()
    return captured.out, captured.err


@pytest.mark.parametrize("words", [[], ["--follow"]])
def test_each_search_has_a_row(results: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    out, err = call(capsys, results, *words)  # which ends with --follow too, since nobody runs one of them
    assert out.splitlines() == [
        "search  state        trials   best              last change",
        "cut     interrupted  6/9      val_accuracy 0.9  2026-01-31 18:10:12 UTC",
        "done    finished     2/2      val_accuracy 0.5  2026-01-31 18:05:00 UTC",
        "early   interrupted  0/1,000                    2026-01-31 18:00:00 UTC",
    ]
    assert err == ""


def test_json_lists_what_is_said_of_each_alone(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = json.loads(call(capsys, results, "--json")[0])
    assert record["version"] == 1 and [search["search"] for search in record["searches"]] == ["cut", "done", "early"]
    for search in record["searches"]:
        alone = json.loads(call(capsys, results, search["search"], "--json")[0])
        assert {"version": 1, **search} == alone


def test_a_search_that_runs_is_told_from_those_that_do_not(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = FolderLock(results / "early")
    lock.acquire()
    try:
        rows = call(capsys, results)[0].splitlines()[1:]
    finally:
        lock.release()
    assert [row.split()[1] for row in rows] == ["interrupted", "finished", "running"]


def test_one_that_is_damaged_hides_no_other(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (results / "cut/search.json").write_text("{")
    out, err = call(capsys, results, code=5)
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [
        *(["cut", "damaged"], ["done", "finished"], ["early", "interrupted"])
    ]
    assert "cut/search.json is damaged" in err and err.count("\n") == 1
    record = json.loads(call(capsys, results, "--json", code=5)[0])["searches"][0]
    assert record["search"] == "cut" and record["error"]["code"] == 5


def test_one_that_is_about_to_begin(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (results / "new").mkdir()
    (results / "new/events.jsonl").touch()
    assert call(capsys, results)[0].splitlines()[-1] == "new     not begun"


@pytest.mark.parametrize("command", ["logs", "stop"])
def test_what_needs_one_search_asks_for_its_name(
    results: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert main([command, "--results", str(results)]) == 2
    assert "several searches; name one (NAME)" in " ".join(capsys.readouterr().err.split())
