"""The log of one search: opened by its one writer, mended, replayed, appended to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from tuner.facts.errors import ResultsDamagedError, relative_to_cwd
from tuner.journal.events import Event, decode, encode
from tuner.journal.storage import FileStorage, LogStorage

#: Reports that nothing depends on yet may share one fsync for this long.
_SYNC_INTERVAL_SECONDS = 1.0


class Log:
    """The append-only truth of a search. A context manager: leaving it makes all durable and frees the lock.

    Attributes:
        notice: One sentence about a torn last line that was dropped on opening, or None.
    """

    def __init__(self, storage: LogStorage) -> None:
        """Lock the log, drop a torn last line and read the rest.

        Raises:
            ResultsHeldError: Another live process writes it.
            ResultsDamagedError: A line other than the last is not what was written.
        """
        storage.lock()
        self._storage = storage
        self._unsynced_since: float | None = None
        self.notice: str | None = None
        try:
            data = storage.read()
            whole = data.rfind(b"\n") + 1
            self._events = list(events_of(data[:whole]))
            if whole < len(data):
                storage.truncate(whole)
                self.notice = f"dropped a torn last line of {len(data) - whole} bytes from the log"
        except BaseException:
            storage.close()
            raise

    def replay(self) -> Iterator[Event]:
        """Yield what the log held when it was opened, once; the list is let go of on the way."""
        events, self._events = self._events, []
        yield from events

    def append(self, *events: Event, sync: bool = True) -> None:
        """Write events as one piece; with ``sync`` they are durable on return, else within a second of ``flush``.

        Raises:
            StorageError: They could not be written; none of them is in the log.
        """
        self._storage.append(b"".join(map(encode, events)), sync=sync)
        if sync:
            self._unsynced_since = None
        elif self._unsynced_since is None:
            self._unsynced_since = time.monotonic()

    def flush(self) -> None:
        """Called at least once a second by the driver: make grouped reports durable when their time has come."""
        if self._unsynced_since is not None and time.monotonic() - self._unsynced_since > _SYNC_INTERVAL_SECONDS / 2:
            self._storage.append(b"", sync=True)
            self._unsynced_since = None

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._storage.close()


def open_log(folder: Path) -> Log:
    """Open the log in a results folder as its one writer; errors name the folder."""
    try:
        return Log(FileStorage(folder))
    except ResultsDamagedError as error:
        raise ResultsDamagedError(f"{relative_to_cwd(folder / 'events.jsonl')}: {error}") from error


def read_events(folder: Path) -> list[Event]:
    """Return the events of a results folder without locking it; a torn last line is left out.

    Raises:
        ResultsDamagedError: Another line is not what was written.
    """
    path = folder / "events.jsonl"
    try:
        data = path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise ResultsDamagedError(f"{relative_to_cwd(path)} cannot be read: {error.strerror}") from error
    try:
        return list(events_of(data[: data.rfind(b"\n") + 1]))
    except ResultsDamagedError as error:
        raise ResultsDamagedError(f"{relative_to_cwd(path)}: {error}") from error


def events_of(data: bytes) -> Iterator[Event]:
    """Yield the events of whole lines.

    Raises:
        ResultsDamagedError: A line is not what was written.
    """
    for number, line in enumerate(data.splitlines(keepends=True), start=1):
        try:
            yield decode(line)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ResultsDamagedError(f"line {number} is damaged: {error}") from error
