"""The built-in training under a real search: the same losses twice, and the same after kills and resumes."""

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

from tuner.journal.events import Epoch
from tuner.journal.history import History
from tuner.journal.log import read_events

pytestmark = pytest.mark.slow

SPACE = """
    name: s
    data: {dataset: digits, validation: 200}
    search: {trials: 20, seed: 1}
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
    _, err = process.communicate(timeout=240)
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
    straight, again, broken = (tmp_path / name for name in ("straight", "again", "broken"))
    finish(start(straight))
    finish(start(again))
    assert told(straight) == told(again)
    chance = random.Random(0)
    for _ in range(3):
        process = start(broken)
        wanted = reports(broken) + chance.randrange(2, 9)
        deadline = time.monotonic() + 120
        while reports(broken) < wanted:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    finish(start(broken))
    assert told(broken) == told(straight)


def reports(folder: Path) -> int:
    results = folder / "results/s"
    return sum(isinstance(event, Epoch) for event in read_events(results)) if results.exists() else 0
