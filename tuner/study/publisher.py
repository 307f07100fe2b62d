"""Keeps a search's Parquet files close behind its log, and only the best checkpoints, while it runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tuner.facts.records import Goal
from tuner.journal.events import End, Event
from tuner.journal.history import Trial
from tuner.journal.ranking import Ranking
from tuner.leaderboard.info import SearchInfo
from tuner.leaderboard.rows import EndedRows
from tuner.leaderboard.write import write_results
from tuner.search.ledger import Ledger
from tuner.study.checkpoint_stores import newest_of, store_of

#: The files are at most five seconds behind; a write may take its time.
_INTERVAL_SECONDS = 1.5
_REMOVING_SECONDS = 1.0


class KeptCheckpoints:
    """The checkpoints of the best trials of different configurations; those of all other ended trials are removed.

    What decides is called in the search's loop, what touches the storage by the publisher.
    """

    def __init__(self, root: Path, keep: int, goal: Goal) -> None:
        """Args: keep: how many, 0 for none."""
        self._store = store_of(root)
        self._folder = root.name
        self._keep = keep
        self._ranking = Ranking(goal)
        self._best: tuple[int, ...] = ()
        self._dropped: list[int] = []
        self._epochs: dict[int, int] = {}
        self._paths: dict[int, str] = {}

    def ended(self, trial: Trial) -> None:
        """Called for every ended trial once: decide what is not among the best."""
        self._ranking.ended(trial)
        self._epochs[trial.number] = trial.last_epoch
        best = tuple(place.number for place in self._ranking.distinct(self._keep))
        self._dropped += {*self._best, trial.number} - {*best}
        self._best = best

    def remove_dropped(self) -> None:
        """Remove what is not among the best any more; what takes too long waits for another call or ``tidy``."""
        began = time.monotonic()
        while self._dropped and time.monotonic() - began < _REMOVING_SECONDS:
            number = self._dropped.pop()
            if number not in self._best:  # another's divergence may have made it one of the best again
                self._store.remove_trial(number)

    def paths(self) -> dict[int, str]:
        """Return number to path, relative to the search's folder, of the kept checkpoints that exist."""
        self._paths = {number: path for number in self._best if (path := self._paths.get(number) or self._path(number))}
        return dict(self._paths)

    def tidy(self, unfinished: Iterable[Trial]) -> None:
        """Called when nothing runs: remove leftovers of any kind; what can be resumed stays."""
        self._dropped.clear()
        best = {number: self._epochs[number] for number in self._best}
        self._store.keep_only(best | {trial.number: trial.last_epoch for trial in unfinished})

    def _path(self, number: int) -> str | None:
        checkpoint = newest_of(self._store.of(number), self._epochs[number])
        return None if checkpoint is None else f"{self._folder}/{number}/{self._store.file_name(checkpoint)}"


class Publisher(threading.Thread):
    """A thread that writes leaderboard.parquet and epochs.parquet after changes.

    Attributes:
        failure: The error that ended it, or None; the search's loop looks at it.
    """

    def __init__(
        self, folder: Path, info: SearchInfo, ledger: Ledger, kept: KeptCheckpoints, *, confirm: Callable[[], None]
    ) -> None:
        """Args: confirm: raises where another driver took the search over; asked before each write."""
        super().__init__(name="publisher", daemon=True)
        self.failure: Exception | None = None
        self._folder = folder
        self._info = info
        self._ledger = ledger
        self._kept = kept
        self._confirm = confirm
        self._ended = EndedRows()
        self._changed = threading.Event()
        self._left = threading.Event()
        for trial in ledger.history.trials.values():
            if trial.end is not None:
                kept.ended(trial)
        kept.tidy(ledger.history.unfinished)

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
            ResultsHeldError: Another driver took the search over.
        """
        self._confirm()
        with self._ledger.lock:
            history = self._ledger.history.snapshot()
        write_results(self._folder, history, self._info, live=live, kept=self._kept.paths(), ended=self._ended)
        self._kept.remove_dropped()

    def stop(self) -> None:
        """End the thread; what it is writing is written to its end."""
        self._left.set()
        self.join()

    def finish(self) -> None:
        """Called when the thread has ended: tidy up and write a last time, as a search that no longer runs.

        Raises:
            StorageError: The folder cannot be written.
            ResultsHeldError: Another driver took the search over; its checkpoints are left alone.
        """
        self._confirm()
        self._kept.tidy(self._ledger.history.unfinished)
        self.publish(live=False)
