"""Real searches as real processes: a search file and a trainable in a folder, started, watched, killed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from textwrap import dedent

from tuner.journal.events import End, Epoch, Event
from tuner.journal.history import History
from tuner.journal.log import read_events
from tuner.storage.copies import results_folder

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

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        epoch_seconds: float = 0.05,
        environment: Mapping[str, str] | None = None,
        enter: Sequence[str] = (),
    ) -> None:
        """Args: enter: what the command line begins with, to run it somewhere else."""
        self.folder = folder
        self.process = subprocess.Popen(
            [*enter, sys.executable, "-m", "tuner", "search", "space.yaml", *arguments],
            cwd=folder,
            env={**os.environ, "EPOCH_SECONDS": str(epoch_seconds), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait(self) -> tuple[int, str, str]:
        """Return exit code, stdout and stderr once it has ended."""
        out, err = self.process.communicate(timeout=400)
        return self.process.returncode, out, err

    def until_epochs(self, count: int) -> None:
        """Wait until the log holds so many reports."""
        self.until(lambda events: _reports(events) >= count)

    def until(self, reached: Callable[[Sequence[Event]], bool]) -> None:
        """Wait until the log is as it should be."""
        deadline = time.monotonic() + 300
        while not reached(events_of(self.folder)):
            assert self.process.poll() is None, self.wait()[2]
            assert time.monotonic() < deadline, "the search made no progress"
            time.sleep(0.02)

    def epochs(self) -> int:
        """Return the number of reports in the log."""
        return _reports(events_of(self.folder))

    def kill(self) -> None:
        """Kill -9."""
        self.process.kill()
        self.process.communicate()


def _reports(events: Sequence[Event]) -> int:
    return sum(isinstance(event, Epoch) for event in events)


def stored_in(address: str, space: str = SPACE) -> str:
    """Return a search file whose results go to an address."""
    return space.replace("name: s\n", f"name: s\n    results: {address}\n")


def prepare(folder: Path, *, space: str = SPACE, trainable: str = TRAINABLE) -> None:
    """Write a search file and a trainable into a folder."""
    (folder / "space.yaml").write_text(dedent(space))
    (folder / "mine.py").write_text(dedent(trainable))


def search(
    folder: Path, *arguments: str, epoch_seconds: float = 0.05, environment: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """Run a search to its end; returns exit code, stdout and stderr."""
    return SearchProcess(folder, *arguments, epoch_seconds=epoch_seconds, environment=environment).wait()


def results_of(folder: Path) -> str:
    """Return where the results of the search file in a folder go."""
    found = re.search(r"^results: (\S+)$", (folder / "space.yaml").read_text(), re.MULTILINE)
    return found[1] if found else str(folder / "results")


def events_of(folder: Path) -> list[Event]:
    """Return the search's log, wherever it lies; nothing before the search has begun."""
    with results_folder(results_of(folder), "s") as results:
        return read_events(results / "s")


def history(folder: Path) -> History:
    """Return what the search's log says."""
    return History(events_of(folder))


def assert_exactly_once(folder: Path, trials: int) -> None:
    """Every trial was proposed once, ended once, and reported each epoch once."""
    events = events_of(folder)
    ends = sorted(event.n for event in events if isinstance(event, End))
    assert ends == list(range(trials))
    reports: Sequence[tuple[int, int]] = [(event.n, event.epoch) for event in events if isinstance(event, Epoch)]
    assert len(reports) == len(set(reports))
    for trial in history(folder).trials.values():
        assert sorted(trial.epochs) == list(range(1, trial.last_epoch + 1))
