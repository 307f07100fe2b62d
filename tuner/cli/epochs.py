"""Progress of ``tuner train`` on stderr: a bar for each seed in a terminal, a line for each epoch elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from tuner.facts.words import counted, spelled_time
from tuner.study.final import Listener

_SHORT = ("train_accuracy", "val_accuracy")
_LONG = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")


@contextlib.contextmanager
def progress(mode: str, epochs: int, seeds: int) -> Iterator[Listener]:
    """Yield who shows the progress; on leaving, however that happens, the terminal is as it was.

    Args:
        mode: ``--progress``: auto, live, lines or none.
        epochs: Most epochs of a seed.
        seeds: How many of them are to be trained.
    """
    if mode == "live" or (mode == "auto" and sys.stderr.isatty()):
        live = _Live(epochs, seeds)
        try:
            yield live
        finally:
            live.close()
    else:
        yield _Silent() if mode == "none" else _Lines(epochs)


class _Silent:
    """Shows nothing."""

    def seed_began(self, seed: int) -> None:
        pass

    def epoch_ended(self, report: Mapping[str, float]) -> None:
        pass

    def seed_ended(self, result: Mapping[str, Any]) -> None:
        pass


class _Lines(_Silent):
    """One line an epoch."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._seed = 0

    def seed_began(self, seed: int) -> None:
        self._seed = seed

    def epoch_ended(self, report: Mapping[str, float]) -> None:
        speed = f"{report['images_per_second']:,.0f} images/s"
        _say(f"seed {self._seed}, epoch {int(report['epoch'])}/{self._epochs}: {_story(report, _LONG)}, {speed}")

    def seed_ended(self, result: Mapping[str, Any]) -> None:
        _say(_ending(result))


class _Live(_Silent):
    """A bar that moves, and a line in its place once a seed is trained."""

    def __init__(self, epochs: int, seeds: int) -> None:
        self._epochs = epochs
        self._seeds_left = seeds
        self._began = time.monotonic()
        self._epochs_seen = 0
        self._progress: Progress | None = None
        self._task = TaskID(0)

    def seed_began(self, seed: int) -> None:
        self._progress = Progress(
            TextColumn(f"seed {seed}"),
            BarColumn(20),
            TextColumn("epoch {task.completed:.0f}/{task.total:.0f}"),
            TextColumn("{task.description}"),
            TextColumn("{task.fields[left]}"),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )
        self._task = self._progress.add_task("", total=self._epochs, left="")
        self._progress.start()

    def epoch_ended(self, report: Mapping[str, float]) -> None:
        if self._progress is None:
            return
        epoch = int(report["epoch"])
        self._epochs_seen += 1
        pace = (time.monotonic() - self._began) / self._epochs_seen
        left = f"{spelled_time(pace * (self._seeds_left * self._epochs - epoch))} left"
        self._progress.update(self._task, completed=epoch, description=_story(report, _SHORT), left=left)

    def seed_ended(self, result: Mapping[str, Any]) -> None:
        self._seeds_left -= 1
        self.close()
        _say(_ending(result))

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def _story(report: Mapping[str, float], names: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {report[name]:.4f}" for name in names if name in report)


def _ending(result: Mapping[str, Any]) -> str:
    early = " by early stopping" if result["stop_reason"] == "early_stop" else ""
    test = "" if result["test"] is None else f", test accuracy {result['test']['accuracy']:.4f}"
    return f"seed {result['seed']}: trained {counted(len(result['epochs']), 'epoch')}{early}{test}"


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # nobody reads it any more; the training goes on
        print(line, file=sys.stderr, flush=True)
