"""Where a log lies: the small interface that the log needs, and its form on a file system."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from tuner.facts.errors import StorageError, relative_to_cwd
from tuner.journal.lock import FolderLock
from tuner.storage.copies import push


class LogStorage(Protocol):
    """What holds the bytes of one log. One writer at a time."""

    def lock(self) -> None:
        """Become the only writer; raises ResultsHeldError where another one lives."""

    def read(self) -> bytes:
        """Return the whole log."""

    def truncate(self, size: int) -> None:
        """Keep the first ``size`` bytes."""

    def append(self, data: bytes, *, sync: bool) -> None:
        """Write ``data`` at the end, all of it or none; with ``sync`` it is durable on return."""

    def confirm(self) -> None:
        """Raise ResultsHeldError where another writer took the log over, as far as can be known."""

    def close(self) -> None:
        """Make all durable and let go of the lock."""


class FileStorage:
    """A log in ``events.jsonl`` of a folder, locked by ``.lock`` beside it."""

    def __init__(self, folder: Path) -> None:
        """Args: folder: the search's results folder; it exists."""
        self._folder = folder
        self._path = folder / "events.jsonl"
        self._lock = FolderLock(folder)
        self._file: int | None = None
        self._size = 0

    def lock(self) -> None:
        """Become the only writer and open the log, creating it where it is missing."""
        try:
            self._lock.acquire()
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            self._size = os.fstat(self._file).st_size
            make_durable(self._folder)
        except OSError as error:
            self.close()
            raise self._unwritable(error) from error

    def read(self) -> bytes:
        """Return the whole log."""
        return self._path.read_bytes()

    def truncate(self, size: int) -> None:
        """Keep the first ``size`` bytes."""
        assert self._file is not None
        os.ftruncate(self._file, size)
        os.fsync(self._file)
        self._size = size

    def append(self, data: bytes, *, sync: bool) -> None:
        """Write ``data`` at the end, all of it or none; with ``sync`` it is durable on return."""
        assert self._file is not None
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(self._file, left) :]
            if sync:
                os.fsync(self._file)
        except BaseException as error:
            # Half a line in the middle of a log would be damage; left at its end it is a torn line that resume mends.
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
            if isinstance(error, OSError):
                raise self._unwritable(error) from error
            raise
        self._size += len(data)

    def confirm(self) -> None:
        """Nothing to ask: the kernel takes the lock from no live process."""

    def close(self) -> None:
        """Make all durable and let go of the lock."""
        file, self._file = self._file, None
        try:
            if file is not None:
                os.fsync(file)
        except OSError as error:
            raise self._unwritable(error) from error
        finally:
            if file is not None:
                os.close(file)
            self._lock.release()

    def _unwritable(self, error: OSError) -> StorageError:
        return StorageError(f"{relative_to_cwd(self._folder)} cannot be written: {error.strerror}")


def make_durable(path: Path) -> None:
    """Make a file's contents, or the names in a folder, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file by ``data``: readers see the old or the new one, also after a crash. One writer at a time.

    In a working copy of object storage it is then put there.

    Raises:
        StorageError: The folder cannot be written, or the object storage fails.
    """
    temporary = path.with_name(f".{path.name}.tmp")  # always the same, so that kills do not pile them up
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        make_durable(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StorageError(f"{relative_to_cwd(path)} cannot be written: {error.strerror}") from error
    push(path)


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Replace a file by a JSON object for people to read, as ``write_atomically`` does; NaN is no JSON."""
    write_atomically(path, (json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())
