"""The log of one search: opened by its one writer, mended, replayed, appended to."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from tuner.facts.errors import ResultsDamagedError, UsageError, relative_to_cwd
from tuner.journal.events import Event, decode, encode
from tuner.journal.links import regular_file
from tuner.journal.storage import FileStorage, LogStorage
from tuner.storage.copies import origin
from tuner.storage.objects import Objects
from tuner.storage.segments import SegmentStorage
from tuner.storage.stored_log import read_log, stored_log

LOG_FILE = "events.jsonl"

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
            StorageError: They could not be written. None of them is in the log of a folder; on object storage all may
                be, and nothing more is written.
            ResultsHeldError: Another writer took the log over.
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

    def confirm(self) -> None:
        """Called before files beside the log are replaced.

        Raises:
            ResultsHeldError: Another writer took the log over while this one was asleep or cut off.
            StorageError: The object storage fails.
        """
        self._storage.confirm()

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._storage.close()


def open_log(folder: Path) -> Log:
    """Open the log of a results folder as its one writer; errors name the folder.

    Raises:
        ResultsHeldError: Another live process writes it.
        ResultsDamagedError: A line other than the last is not what was written, or parts are missing.
        StorageError: It cannot be written.
        UsageError: It was copied here from the other kind of storage as it lay there.
    """
    objects = _objects(folder)
    with _damage_named(folder):
        _refuse_other_form(folder, objects)
        return Log(FileStorage(folder) if objects is None else SegmentStorage(objects, folder / LOG_FILE))


def read_events(folder: Path) -> list[Event]:
    """Return the events of a results folder without locking it; a torn last line is left out.

    Raises:
        ResultsDamagedError: Another line is not what was written.
        StorageError: The object storage fails.
    """
    with _damage_named(folder):
        data = _read(folder)
        return list(events_of(data[: data.rfind(b"\n") + 1]))


def log_size(folder: Path) -> int | None:
    """Return the bytes in the log of a results folder, by which a reader sees that it grew; None without a log.

    Raises:
        ResultsDamagedError: Parts of it are missing.
        StorageError: The object storage fails.
    """
    path, objects = folder / LOG_FILE, _objects(folder)
    if objects is None or path.exists():
        return path.stat().st_size if path.exists() else None
    with _damage_named(folder):
        stored = stored_log(objects)
    return stored.size if stored.segments else None


def _refuse_other_form(folder: Path, objects: Objects | None) -> None:
    """A copied log that is not seen would be begun anew over all that its search has found."""
    place = relative_to_cwd(folder)
    if objects is None:
        if (folder / "segments").is_dir() and not (folder / LOG_FILE).exists():
            how = f"cat segments/*.jsonl > {LOG_FILE}"
            raise UsageError(f"{place} holds its log as it lay on object storage; in it, do: {how}")
    elif objects.exists(LOG_FILE) and not stored_log(objects).segments:
        how = f"copy {LOG_FILE} to segments/00000000.jsonl"
        raise UsageError(f"{place} holds its log as it lay in a folder; on object storage, {how}")


def _objects(folder: Path) -> Objects | None:
    found = origin(folder)
    return None if found is None else found[0].below(found[1])


def _read(folder: Path) -> bytes:
    """Return the log's bytes. In a working copy its file is there only while this process writes the log."""
    path, objects = folder / LOG_FILE, _objects(folder)
    if objects is not None and not path.exists():
        return read_log(objects)
    try:
        return regular_file(path).read_bytes() if path.exists() else b""
    except ValueError as error:
        raise ResultsDamagedError(str(error)) from error
    except OSError as error:
        raise ResultsDamagedError(f"it cannot be read: {error.strerror}") from error


@contextlib.contextmanager
def _damage_named(folder: Path) -> Iterator[None]:
    try:
        yield
    except ResultsDamagedError as error:
        place = folder if origin(folder) is not None else folder / LOG_FILE
        raise ResultsDamagedError(f"{relative_to_cwd(place)}: {error}") from error


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
