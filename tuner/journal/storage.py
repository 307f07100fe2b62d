"""Where a log lies: the small interface that the log needs, and its form on a file system."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time
from pathlib import Path
from typing import Protocol

from tuner.facts.errors import ResultsHeldError, StorageError, relative_to_cwd

#: A reader probes the lock for a moment; a writer waits this long before it believes that another one lives.
_LOCK_PATIENCE_SECONDS = 1.0


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

    def close(self) -> None:
        """Make all durable and let go of the lock."""


class FileStorage:
    """A log in ``events.jsonl`` of a folder, locked by ``.lock`` beside it.

    The lock is the kernel's (flock): it falls with the process that holds it, however that dies.
    """

    def __init__(self, folder: Path) -> None:
        """Args: folder: the search's results folder; it exists."""
        self._folder = folder
        self._path = folder / "events.jsonl"
        self._lock: int | None = None
        self._file: int | None = None
        self._size = 0

    def lock(self) -> None:
        """Become the only writer and open the log, creating it where it is missing."""
        try:
            self._lock = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
            self._acquire(self._lock)
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            self._size = os.fstat(self._file).st_size
            make_durable(self._folder)
        except OSError as error:
            self.close()
            raise self._unwritable(error) from error

    def _acquire(self, lock: int) -> None:
        deadline = time.monotonic() + _LOCK_PATIENCE_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    os.close(lock)
                    self._lock = None
                    raise _held(self._folder) from None
                time.sleep(0.05)
        if not _still_there(lock, self._folder / ".lock"):  # another driver moved or removed the folder meanwhile
            os.close(lock)
            self._lock = None
            raise _held(self._folder)
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)

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

    def close(self) -> None:
        """Make all durable and let go of the lock."""
        file, lock = self._file, self._lock
        self._file = self._lock = None
        try:
            if file is not None:
                os.fsync(file)
        except OSError as error:
            raise self._unwritable(error) from error
        finally:
            for descriptor in (file, lock):
                if descriptor is not None:
                    os.close(descriptor)

    def _unwritable(self, error: OSError) -> StorageError:
        return StorageError(f"{relative_to_cwd(self._folder)} cannot be written: {error.strerror}")


def is_held(folder: Path) -> bool:
    """Return whether a live search writes to a results folder; never creates or changes anything."""
    try:
        probe = os.open(folder / ".lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks has no live writer of ours
        return False
    finally:
        os.close(probe)
    return False


def refuse_if_held(folder: Path) -> None:
    """Called before work that a live search on the same folder would make vain.

    Raises:
        ResultsHeldError: A live search writes to the folder.
    """
    if is_held(folder):
        raise _held(folder)


def _still_there(lock: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(lock), path.stat())
    except FileNotFoundError:
        return False


def _held(folder: Path) -> ResultsHeldError:
    try:
        holder = (folder / ".lock").read_text(errors="replace").strip()[:200]
    except OSError:
        holder = ""
    return ResultsHeldError(f"{relative_to_cwd(folder)} is held by a running search ({holder or 'another process'})")


def make_durable(path: Path) -> None:
    """Make a file's contents, or the names in a folder, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file by ``data``: readers see the old or the new one, also after a crash. One writer at a time.

    Raises:
        StorageError: The folder cannot be written.
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
