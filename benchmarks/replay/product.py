"""The product's search under the virtual clock: its own ledger, proposer, scheduler and log."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from driver import ledger_of

from replay.clock import Job
from replay.worlds import Trainings
from tuner.facts.records import Decision, State
from tuner.journal.events import End, Event
from tuner.journal.log import Log
from tuner.journal.ranking import Ranking
from tuner.journal.storage import LogStorage
from tuner.search.messages import Ended, Message, Report, Started


class MemoryStorage:
    """A log's bytes in memory."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray(data)

    def lock(self) -> None:
        """Nobody else can write it."""

    def read(self) -> bytes:
        """Return the whole log."""
        return bytes(self.data)

    def truncate(self, size: int) -> None:
        """Keep the first ``size`` bytes."""
        del self.data[size:]

    def append(self, data: bytes, *, sync: bool) -> None:
        """Add to the end."""
        self.data += data

    def confirm(self) -> None:
        """Nobody else can write it."""

    def close(self) -> None:
        """Nothing is open."""


class Product:
    """A search as ``tuner search`` runs it. It hands over what its leaderboard ranks first.

    That is the best place of ``Ranking``, whose trial has completed.
    """

    def __init__(
        self,
        world: Trainings,
        *,
        seed: int,
        workers: int,
        trials: int,
        overrides: Sequence[str],
        storage: LogStorage,
        warm_points: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Args: trials: how many may be proposed; overrides: as after ``--set``; warm_points: see ``Proposer``."""
        self.file = world.file([*overrides, f"search.seed={seed}", f"search.trials={trials}"])
        self._epochs = world.epochs
        self._log = Log(storage)
        self._ledger = ledger_of(self._log, self.file, workers, warm_points)
        self._ledger.listeners.append(self._hear)
        self._ranking = Ranking(self.file.metric.goal)

    def ask(self) -> Job | None:
        """Return the ledger's next assignment."""
        found = self._ledger.next_assignment()
        return None if found is None else Job(found.number, found.config, found.config["seed"])

    def tell(self, number: int, epoch: int, value: float | None) -> bool:
        """Send the ledger a worker's message."""
        started = Started(time.time(), "node", "cpu") if epoch == 1 else None
        report, ended = None, None
        if value is None:
            ended = Ended(State.DIVERGED, "nan")
        else:
            report = Report(epoch, value, {}, seconds=1.0, memory_mb=None, checkpoint=None)
            if epoch == self._epochs:
                ended = Ended(State.COMPLETED, "budget")
        return self._ledger.receive(Message(number, 1, started, report, ended)) is Decision.CONTINUE

    @property
    def incumbent(self) -> Mapping[str, Any] | None:
        """The best completed trial's configuration."""
        best = self._ranking.best
        return None if best is None else best.config

    @property
    def ranked(self) -> list[Mapping[str, Any]]:
        """The configurations of the completed trials, the best first."""
        return [place.config for place in self._ranking.first()]

    def _hear(self, event: Event) -> None:
        if isinstance(event, End):
            self._ranking.ended(self._ledger.history.trials[event.n])
