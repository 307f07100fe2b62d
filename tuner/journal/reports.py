"""The reports of a trial that has ended, in a fraction of the memory that as many events take."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from tuner.journal.events import Epoch

#: Numbers of a report that stand before its metrics; memory is NaN where it is not known.
FIXED = ("at", "score", "seconds", "memory_mb")


class Frame(NamedTuple):
    """All of a trial's reports but their numbers: the same for many trials, which share it.

    Attributes:
        epochs: Ascending.
        attempts: Of each, the attempt that reported it.
        checkpoints: Of each, its checkpoint or None.
        names: The metrics that any of them reported, sorted.
    """

    epochs: tuple[int, ...]
    attempts: tuple[int, ...]
    checkpoints: tuple[str | None, ...]
    names: tuple[str, ...]


@lru_cache(maxsize=1024)
def _shared(frame: Frame) -> Frame:
    """Return the first of equal frames."""
    return frame


class Reports(Mapping[int, Epoch]):
    """Epoch to report, where nothing is added any more; each report is made anew when it is looked at.

    A long search holds the reports of all its trials, and nearly all of these have ended. A metric that one epoch
    reported and another did not is null in that one, as a number that was not finite is.

    Attributes:
        n: Number of the trial.
        frame: What the numbers mean.
        numbers: Doubles, epoch by epoch: what ``FIXED`` names, then the metrics of ``frame.names``, NaN for null.
    """

    __slots__ = ("frame", "n", "numbers")

    def __init__(self, n: int, epochs: Mapping[int, Epoch]) -> None:
        """Args: n: number of the trial; epochs: its reports, by epoch, each of them this trial's."""
        reports = [epochs[epoch] for epoch in sorted(epochs)]
        names = tuple(sorted({name for report in reports for name in report.metrics}))
        self.n = n
        self.frame = _shared(
            Frame(
                tuple(report.epoch for report in reports),
                tuple(report.attempt for report in reports),
                tuple(report.checkpoint for report in reports),
                names,
            )
        )
        rows = ((item.at, item.score, item.seconds, item.memory_mb, *map(item.metrics.get, names)) for item in reports)
        self.numbers = array("d", [math.nan if value is None else value for row in rows for value in row])

    @property
    def scores(self) -> dict[int, float]:
        """Epoch to score, ascending, without making the reports."""
        width = len(FIXED) + len(self.frame.names)
        return dict(zip(self.frame.epochs, self.numbers[FIXED.index("score") :: width], strict=True))

    def __getitem__(self, epoch: int) -> Epoch:
        frame = self.frame
        place = bisect_left(frame.epochs, epoch)
        if frame.epochs[place : place + 1] != (epoch,):
            raise KeyError(epoch)
        width = len(FIXED) + len(frame.names)
        values = self.numbers[place * width : (place + 1) * width]
        at, score, seconds, memory, *metrics = [None if math.isnan(value) else value for value in values]
        assert at is not None and score is not None and seconds is not None
        return Epoch(
            at=at,
            n=self.n,
            attempt=frame.attempts[place],
            epoch=epoch,
            score=score,
            metrics=dict(zip(frame.names, metrics, strict=True)),
            seconds=seconds,
            memory_mb=memory,
            checkpoint=frame.checkpoints[place],
        )

    def __iter__(self) -> Iterator[int]:
        return iter(self.frame.epochs)

    def __len__(self) -> int:
        return len(self.frame.epochs)
