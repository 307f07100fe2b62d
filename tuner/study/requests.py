"""What people ask of the driver of a running search, from another terminal."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path

from tuner.facts.errors import StorageError, relative_to_cwd
from tuner.facts.printable import printable
from tuner.facts.words import counted
from tuner.search.ledger import Ledger
from tuner.space.change import Change
from tuner.space.points import refusal
from tuner.space.space import Space
from tuner.storage.copies import origin, remove
from tuner.study.request_files import FOLDER, Kind, Request, kind_of, names_in, read_request

#: How often a driver looks; a look at object storage is a request that costs something.
_LOOK_SECONDS = 1.0
_LOOK_FAR_SECONDS = 5.0


class Requests(threading.Thread):
    """A thread that looks for requests to a driver. A context manager: its block is how long it looks."""

    def __init__(self, folder: Path, notice: Callable[[str], None]) -> None:
        """Note what was asked of an earlier driver; whoever asks from now on asks this one, also while it starts.

        Args:
            folder: The search's results folder; in the block this process is its one writer.
            notice: Shows people a line.

        Raises:
            StorageError: The object storage fails.
        """
        super().__init__(name="requests", daemon=True)
        self._folder = folder
        self._notice = notice
        self._far = origin(folder) is not None
        self._seen: set[str] = set()
        self._unknown: list[str] = []
        self._waiting: list[Request] = []
        self._asked: set[Kind] = set()
        self._left = threading.Event()
        self._earlier = frozenset(names_in(folder))

    @property
    def stop(self) -> bool:
        """Whether somebody asked for the end of the search; read often, in the driver's thread, which tells people."""
        while self._unknown:
            name = printable(self._unknown.pop())
            self._notice(f"ignored {relative_to_cwd(self._folder / FOLDER)}/{name}, which is no request")
        return Kind.STOP in self._asked

    @property
    def pause(self) -> bool:
        """Whether somebody asked for a pause; read as ``stop`` is."""
        return Kind.PAUSE in self._asked

    def hand_to(self, ledger: Ledger, space: Space, changes: Sequence[Change] = ()) -> None:
        """Let a ledger take in what was asked for; called in the driver's thread.

        Args:
            ledger: Of the search.
            space: What it may propose.
            changes: How that follows from the space for which it was asked, step by step.

        Raises:
            StorageError: The log could not be written.
        """
        while self._waiting:
            request = self._waiting.pop(0)
            config = reduce(lambda given, change: change.names(given), changes, request.config)
            self._take_in(replace(request, config=config), ledger, space)
            with contextlib.suppress(OSError, StorageError):  # the log knows that it was taken in
                remove(self._folder / FOLDER / request.name)

    def _take_in(self, request: Request, ledger: Ledger, space: Space) -> None:
        if request.name in ledger.history.requests:  # by a driver that was killed before it took the file away
            return
        if request.kind is Kind.EXTEND:
            ledger.extend(request.trials, request.name)
            more = counted(request.trials, "more trial")
            self._notice(f"{more}, as 'tuner extend' asked: {ledger.history.wanted:,} in all")
            return
        wrong = refusal(request.config, space)
        if wrong is not None:
            self._notice(printable(f"ignored a configuration that 'tuner add' gave: {wrong}"))
            return
        ledger.add(request.config, request.name)
        self._notice(
            f"a configuration that 'tuner add' gave comes next; {counted(ledger.history.wanted, 'trial')} in all"
        )

    def __enter__(self) -> Requests:
        self._look()
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._left.set()
        self.join(_LOOK_FAR_SECONDS)  # a look at a storage that went away may take minutes, and is worth nothing now

    def run(self) -> None:
        """Look again and again."""
        while not self._left.wait(_LOOK_FAR_SECONDS if self._far else _LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        # What cannot be read now may be readable at the next look; a log that cannot be written ends the search.
        with contextlib.suppress(OSError, StorageError):
            found: list[Request] = []
            try:
                for name in names_in(self._folder):
                    if name in self._seen or name.startswith("."):
                        continue
                    request = self._heard(name)
                    self._seen.add(name)
                    if request is not None:
                        found.append(request)
            finally:
                self._waiting += sorted(found, key=lambda request: (request.at, request.name))

    def _heard(self, name: str) -> Request | None:
        """Return a request for the ledger; the others are noted here."""
        kind = kind_of(name)
        if kind in (Kind.STOP, Kind.PAUSE):
            if name not in self._earlier:
                self._asked.add(kind)
            remove(self._folder / FOLDER / name)
            return None
        try:
            return read_request(self._folder, name)
        except (ValueError, OverflowError):
            self._unknown.append(name)
            return None
