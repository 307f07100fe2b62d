"""Keeps a search's Parquet files close behind its log, and only the best checkpoints, while it runs."""

from __future__ import annotations

import shutil
import threading
import time
from bisect import insort
from collections.abc import Iterable
from pathlib import Path

from tuner.facts.records import Goal, State
from tuner.journal.events import End, Event
from tuner.journal.history import Trial
from tuner.leaderboard.info import SearchInfo
from tuner.leaderboard.write import write_results
from tuner.search.ledger import Ledger
from tuner.study.checkpoints import last_name, remove_all_but

#: The files are at most five seconds behind; a write may take its time.
_INTERVAL_SECONDS = 1.5


class KeptCheckpoints:
    """The checkpoints of the best completed trials; those of all other ended trials are removed."""

    def __init__(self, root: Path, keep: int, goal: Goal) -> None:
        """Args: keep: how many, 0 for none."""
        self._root = root
        self._keep = keep
        self._goal = goal
        self._best: list[tuple[float, int]] = []

    def ended(self, trial: Trial) -> None:
        """Called for every ended trial once: remove what is not among the best."""
        report = trial.best(self._goal) if trial.state is State.COMPLETED else None
        if report is None:
            self._remove(trial.number)
            return
        # Ascending means better first, and of equals the earlier trial.
        insort(self._best, (-report.score if self._goal is Goal.MAXIMIZE else report.score, trial.number))
        while len(self._best) > self._keep:
            self._remove(self._best.pop()[1])

    def paths(self) -> dict[int, str]:
        """Return number to path, relative to the search's folder, of the kept checkpoints that exist."""
        found = {number: last_name(self._root, number) for _, number in tuple(self._best)}
        return {number: f"{self._root.name}/{number}/{name}" for number, name in found.items() if name is not None}

    def tidy(self, unfinished: Iterable[int]) -> None:
        """Called when nothing runs: remove leftovers of any kind; what can be resumed stays."""
        remove_all_but(self._root, {number for _, number in self._best} | set(unfinished))

    def _remove(self, number: int) -> None:
        shutil.rmtree(self._root / str(number), ignore_errors=True)


class Publisher(threading.Thread):
    """A thread that writes leaderboard.parquet and epochs.parquet after changes.

    Attributes:
        failure: The error that ended it, or None; the search's loop looks at it.
    """

    def __init__(self, folder: Path, info: SearchInfo, ledger: Ledger, kept: KeptCheckpoints) -> None:
        super().__init__(name="publisher", daemon=True)
        self.failure: Exception | None = None
        self._folder = folder
        self._info = info
        self._ledger = ledger
        self._kept = kept
        self._changed = threading.Event()
        self._left = threading.Event()
        for trial in ledger.history.trials.values():
            if trial.end is not None:
                kept.ended(trial)

    def heard(self, event: Event) -> None:
        """A listener of the ledger: something is new."""
        if isinstance(event, End):
            self._kept.ended(self._ledger.history.trials[event.n])
        self._changed.set()

    def run(self) -> None:
        """Write whenever something changed, with a pause that grows with what a write costs."""
        while not self._left.wait(_INTERVAL_SECONDS):
            if self._changed.is_set():
                self._changed.clear()
                began = time.monotonic()
                try:
                    self.publish(live=True)
                except Exception as error:  # the search's loop raises it: a stale leaderboard must not go unseen
                    self.failure = error
                    return
                self._left.wait(min(2.0, 4 * (time.monotonic() - began)))

    def publish(self, *, live: bool) -> None:
        """Write both files now.

        Raises:
            StorageError: The folder cannot be written.
        """
        with self._ledger.lock:
            history = self._ledger.history.snapshot()
        write_results(self._folder, history, self._info, live=live, kept=self._kept.paths())

    def stop(self) -> None:
        """End the thread; what it is writing is written to its end."""
        self._left.set()
        self.join()

    def finish(self) -> None:
        """Called when the thread has ended: tidy up and write a last time, as a search that no longer runs."""
        self._kept.tidy(trial.number for trial in self._ledger.history.unfinished)
        self.publish(live=False)
