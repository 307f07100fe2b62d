"""Comparisons whose results lie on object storage (a real S3 server)."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.storage.server import S3Server, s3
from tests.study.comparisons import BUILTIN, OWN, Outcome, finished_search, stand_in
from tuner.journal.events import End
from tuner.journal.log import read_events
from tuner.storage.copies import attach
from tuner.storage.objects import Objects
from tuner.study.ablate import ablate
from tuner.study.confirm import confirm
from tuner.study.observer import Silent

__all__ = ["s3"]

CONFIGS: list[dict[str, Any]] = [
    {"model": "cnn", "epochs": 3, "optimizer": "sgd", "lr": lr, "weight_decay": 1e-3} for lr in (0.02, 0.05)
]


@pytest.fixture
def place(s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))
    return s3.address(tmp_path.name)


def loss(config: Mapping[str, Any]) -> Outcome:
    return (config["x"] - 0.3) ** 2 + 1e-3 * (config["seed"] % 97) * config["x"], {}


def accuracy(config: Mapping[str, Any]) -> Outcome:
    return 0.8 + 1e-4 * (config["seed"] % 97) + (0.05 if "weight_decay" in config else 0.0), {}


def test_a_confirmation_is_seen_from_elsewhere(tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = finished_search(tmp_path, OWN, [{"x": 0.5}, {"x": 0.9}], [0.1, 0.2], attach(place))
    trained = stand_in(monkeypatch, loss)
    _, record = confirm(folder, top=1, seeds=2, observer=Silent())
    assert record is not None
    assert json.loads(Objects.at(place).get("s/confirm.json") or b"") == record
    assert trained.job is not None and trained.job.place == f"{place}/s/confirm"
    for path in folder.iterdir():  # as on a machine that has the search and nothing else
        if path.name != "search.json":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    before = len(trained.configs)
    assert confirm(folder, top=1, seeds=2, observer=Silent())[1] == record
    assert len(trained.configs) == before, "nothing is trained again"


def test_an_ablation_has_a_log_of_its_own(tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = finished_search(tmp_path, BUILTIN, CONFIGS, [0.9, 0.8], attach(place))
    stand_in(monkeypatch, accuracy)
    _, record = ablate(folder, 1, seeds=2, observer=Silent())
    assert record is not None
    assert json.loads(Objects.at(place).get("s/ablate-1.json") or b"") == record
    assert sum(isinstance(event, End) for event in read_events(attach(place) / "s/ablate/1")) == 4


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_confirmation_goes_on(tmp_path: Path, place: str) -> None:
    finished_search(tmp_path, BUILTIN, CONFIGS, [0.9, 0.8], attach(place))
    words = [sys.executable, "-m", "tuner", "confirm", "s", "--top", "1", "--seeds", "2", "--results", place, "--json"]
    first = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while not ended(place):
        assert first.poll() is None and time.monotonic() < deadline
        time.sleep(0.2)
    first.kill()
    first.wait()
    before = ended(place)
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert json.loads(Objects.at(place).get("s/confirm.json") or b"") == record
    assert record["default"]["error"]["variance"] >= 0, "what workers said of the reserved images has come here"
    after = ended(place)
    assert sorted(after) == [0, 1, 2, 3] and after[: len(before)] == before
    assert Objects.at(place).list("s/confirm/checkpoints/") == []


def ended(place: str) -> list[int]:
    """Return the runs of the confirmation that have ended, oldest first."""
    return [event.n for event in read_events(attach(place) / "s/confirm") if isinstance(event, End)]
