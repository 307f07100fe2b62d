"""Comparisons under a real Ray: each run exactly once, also after kills."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.study.comparisons import OWN, finished_search
from tuner.journal.events import End, Epoch
from tuner.journal.log import read_events

#: All runs together train as many epochs as the file ``limit`` says, and then wait for another number.
TRAINABLE = """
import pathlib
import time

def waits():
    limit, trained = pathlib.Path("limit"), pathlib.Path("trained")
    return trained.exists() and trained.stat().st_size >= int(limit.read_text())

def train(config, checkpoint):
    state = checkpoint / "epoch"
    done = int(state.read_text()) if state.exists() else 0
    for epoch in range(done + 1, 6):
        while waits():
            time.sleep(0.02)
        with pathlib.Path("trained").open("a") as file:
            file.write("x")
        state.write_text(str(epoch))
        yield {"loss": (config["x"] - 0.2) ** 2 + config["x"] * (config["seed"] % 101) / 1e4 / epoch}
"""

COMMAND = [sys.executable, "-m", "tuner", "confirm", "s", "--top", "3", "--seeds", "4"]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = finished_search(tmp_path, OWN, [{"x": 0.5}, {"x": 0.9}, {"x": 0.1}], [0.04, 0.36, 0.01])
    (tmp_path / "mine.py").write_text(TRAINABLE)
    let(tmp_path, 0)
    return folder


def let(folder: Path, more: int) -> None:
    """Let the runs train so many epochs more."""
    trained = folder / "trained"
    (folder / "limit.new").write_text(str(more + (trained.stat().st_size if trained.exists() else 0)))
    (folder / "limit.new").replace(folder / "limit")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kill_nine_runs_nothing_twice(results: Path, tmp_path: Path) -> None:
    ended: set[int] = set()
    for wanted in (4, 14, 30):
        # Those of a killed driver may train an epoch more, which nobody hears of.
        let(tmp_path, wanted - reports(results) + 3)
        running = subprocess.Popen(COMMAND, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 200
        while reports(results) < wanted:
            assert running.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        running.kill()
        running.communicate()
        now = {event.n for event in events(results) if isinstance(event, End)}
        assert ended <= now, "what had ended stays ended"
        ended = now
        assert not (results / "confirm.json").exists()
        with (results / "confirm/events.jsonl").open("ab") as log:
            log.write(b'{"v":1,"type":"epoch","at":17')
    let(tmp_path, 1000)
    done = subprocess.run(COMMAND, cwd=tmp_path, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr
    counted = Counter(event.n for event in events(results) if isinstance(event, End))
    assert counted == dict.fromkeys(range(12), 1)
    heard = [(event.n, event.epoch) for event in events(results) if isinstance(event, Epoch)]
    assert len(heard) == len(set(heard)) == 60
    record = json.loads((results / "confirm.json").read_text())
    assert [row["difference"]["verdict"] for row in record["trials"]] == ["better", "not shown", "worse"]


def events(results: Path) -> list[object]:
    return list(read_events(results / "confirm")) if (results / "confirm").exists() else []


def reports(results: Path) -> int:
    return sum(isinstance(event, Epoch) for event in events(results))
