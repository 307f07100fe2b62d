"""The virtual clock: workers side by side, an epoch takes one unit of time, events come in the order of time."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from replay.worlds import Curve, Trainings


@dataclass(frozen=True)
class Job:
    """What a worker is to run: a trial from the epoch after ``after`` on, until it is told to stop."""

    number: int
    config: Mapping[str, Any]
    seed: int
    after: int = 0


class Search(Protocol):
    """One search: asked by workers that are free, told of each epoch in the order of the clock."""

    def ask(self) -> Job | None:
        """Return what to run next; None while there is nothing."""

    def tell(self, number: int, epoch: int, value: float | None) -> bool:
        """Take in a trial's value at an epoch, None where it diverged; returns whether the trial goes on.

        After the last epoch of its budget, or where it diverged, a trial does not go on whatever is returned.
        """

    @property
    def incumbent(self) -> Mapping[str, Any] | None:
        """The configuration that the search would hand over now, the same object until it changes."""


@dataclass(frozen=True)
class Step:
    """One epoch has ended.

    Attributes:
        time: On the clock, in epochs.
        spent: Epochs that have ended so far, in all workers, this one included.
        incumbent: What the search would hand over now.
    """

    time: int
    spent: int
    incumbent: Mapping[str, Any] | None


@dataclass
class Counts:
    """What happened meanwhile: trials that began, that ran to their last epoch, and that diverged."""

    trials: int = 0
    finished: int = 0
    diverged: int = 0


def replay(search: Search, world: Trainings, *, workers: int, budget: int, counts: Counts) -> Iterator[Step]:
    """Run a search until exactly ``budget`` epochs have ended, or it has nothing left.

    Epochs that end at the same time are told in the order in which they began. An epoch in which a run diverges is
    spent as any other.
    """
    running: list[tuple[int, int, int, int]] = []  # when it ends, order of beginning, number, epoch
    curves: dict[int, Curve] = {}
    now = began = spent = 0
    while spent < budget:
        while len(running) < workers and (job := search.ask()) is not None:
            if job.number not in curves:
                curves[job.number] = world.curve(job.config, job.seed)
                counts.trials += 1
            heapq.heappush(running, (now + 1, began, job.number, job.after + 1))
            began += 1
        if not running:
            return
        now, _, number, epoch = heapq.heappop(running)
        value = curves[number][epoch - 1]
        spent += 1
        counts.diverged += value is None
        counts.finished += value is not None and epoch == world.epochs
        goes_on = search.tell(number, epoch, value)
        if goes_on and value is not None and epoch < world.epochs:
            heapq.heappush(running, (now + 1, began, number, epoch + 1))
            began += 1
        yield Step(now, spent, search.incumbent)
