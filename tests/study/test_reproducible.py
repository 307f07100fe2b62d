"""The built-in training under a real search: the same losses in a second search, also where that one is killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent

import pytest

from tuner.journal.events import Close, Epoch, Event
from tuner.journal.history import History
from tuner.journal.log import read_events

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SPACE = """
    name: s
    data: {dataset: digits, validation: 200}
    search: {trials: 16, seed: 1}
    scheduler: {grace_period: 2}
    resources: {max_concurrent: 1}
    parameters:
      model: cnn
      width: 16
      epochs: 6
      optimizer: {values: [sgd, adamw]}
      lr: {min: 1e-3, max: 1e-1, log: true}
      dropout: {min: 0.0, max: 0.5}
      mixup_alpha: {values: [0.0, 0.4]}
      cutout: {values: [0, 2]}
      schedule: {values: [cosine, onecycle]}
"""


def start(folder: Path) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    (folder / "space.yaml").write_text(dedent(SPACE))
    return subprocess.Popen(
        [sys.executable, "-m", "tuner", "search", "space.yaml", "--resume"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> None:
    _, err = process.communicate(timeout=400)
    assert process.returncode == 0, err


def told(folder: Path) -> list[tuple[object, ...]]:
    """Return everything about the trials that does not depend on the clock."""
    history = History(read_events(folder / "results/s"))
    return [
        (
            trial.ask.config,
            trial.state,
            [(report.epoch, report.score, report.metrics["val_loss"]) for report in trial.epochs.values()],
        )
        for trial in history.trials.values()
    ]


def test_kills_change_no_proposal_and_no_loss(tmp_path: Path) -> None:
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    finish(start(straight))
    chance, kills = random.Random(0), 0
    while kills < 3 and not ended(broken):
        process = start(broken)
        wanted = reports(broken) + chance.randrange(2, 9)
        deadline = time.monotonic() + 200
        while reports(broken) < wanted and not ended(broken):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        kills += not ended(broken)
    assert kills, "the first kill comes early"
    finish(start(broken))
    assert told(broken) == told(straight)


def reports(folder: Path) -> int:
    return sum(isinstance(event, Epoch) for event in events(folder))


def ended(folder: Path) -> bool:
    """Return whether the search came to its end: on a machine that was busy elsewhere before a kill was sent."""
    return any(isinstance(event, Close) for event in events(folder))


def events(folder: Path) -> list[Event]:
    results = folder / "results/s"
    return read_events(results) if results.exists() else []
