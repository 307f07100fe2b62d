"""Real searches as real processes: a search file and a trainable in a folder, started, watched, killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent

from tuner.journal.events import End, Epoch
from tuner.journal.history import History
from tuner.journal.log import read_events

#: One epoch takes ``seconds``; what it has done lies in its checkpoint and in a file that counts every epoch trained.
TRAINABLE = """
    import os
    import pathlib
    import time

    def train(config, checkpoint):
        state = checkpoint / "epoch"
        done = int(state.read_text()) if state.exists() else 0
        for epoch in range(done + 1, 10):
            time.sleep(float(os.environ.get("EPOCH_SECONDS", "0.05")))
            state.write_text(str(epoch))
            print(f"epoch {epoch}")
            yield {"acc": 1.0 - (config["x"] - 0.3) ** 2 - 0.5 / epoch, "pid": os.getpid()}
"""

SPACE = """
    name: s
    trainable: mine:train
    metric: {name: acc, goal: maximize}
    search: {algorithm: tpe, trials: 12, seed: 3}
    scheduler: {type: asha, grace_period: 3, reduction_factor: 3, max_epochs: 9}
    resources: {cpus_per_trial: 1, max_concurrent: 2}
    parameters:
      x: {min: 0.0, max: 1.0}
"""


class SearchProcess:
    """``tuner search`` as a process of its own in a folder."""

    def __init__(self, folder: Path, *arguments: str, epoch_seconds: float = 0.05) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tuner", "search", "space.yaml", *arguments],
            cwd=folder,
            env=os.environ | {"EPOCH_SECONDS": str(epoch_seconds)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait(self) -> tuple[int, str, str]:
        """Return exit code, stdout and stderr once it has ended."""
        out, err = self.process.communicate(timeout=240)
        return self.process.returncode, out, err

    def until_epochs(self, count: int) -> None:
        """Wait until the log holds so many reports."""
        deadline = time.monotonic() + 120
        while self.epochs() < count:
            assert self.process.poll() is None, self.wait()[2]
            assert time.monotonic() < deadline, "the search made no progress"
            time.sleep(0.02)

    def epochs(self) -> int:
        """Return the number of reports in the log."""
        folder = self.folder / "results/s"
        return sum(isinstance(event, Epoch) for event in read_events(folder)) if folder.exists() else 0

    def kill(self) -> None:
        """Kill -9."""
        self.process.kill()
        self.process.communicate()


def prepare(folder: Path, *, space: str = SPACE, trainable: str = TRAINABLE) -> None:
    """Write a search file and a trainable into a folder."""
    (folder / "space.yaml").write_text(dedent(space))
    (folder / "mine.py").write_text(dedent(trainable))


def search(folder: Path, *arguments: str, epoch_seconds: float = 0.05) -> tuple[int, str, str]:
    """Run a search to its end; returns exit code, stdout and stderr."""
    return SearchProcess(folder, *arguments, epoch_seconds=epoch_seconds).wait()


def history(folder: Path) -> History:
    """Return what the search's log says."""
    return History(read_events(folder / "results/s"))


def assert_exactly_once(folder: Path, trials: int) -> None:
    """Every trial was proposed once, ended once, and reported each epoch once."""
    events = read_events(folder / "results/s")
    ends = sorted(event.n for event in events if isinstance(event, End))
    assert ends == list(range(trials))
    reports: Sequence[tuple[int, int]] = [(event.n, event.epoch) for event in events if isinstance(event, Epoch)]
    assert len(reports) == len(set(reports))
    for trial in history(folder).trials.values():
        assert sorted(trial.epochs) == list(range(1, trial.last_epoch + 1))
