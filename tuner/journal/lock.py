"""One writer for a folder: the kernel's lock (flock) on ``.lock`` in it falls with its process, however that dies."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from pathlib import Path

from tuner.facts.errors import ResultsHeldError, relative_to_cwd

#: A reader probes the lock for a moment; a writer waits this long before it believes that another one lives.
_PATIENCE_SECONDS = 1.0


class FolderLock:
    """The lock of one folder, which exists.

    Args:
        folder: The folder.
        holder: Who may hold it, as an error says it.
    """

    def __init__(self, folder: Path, holder: str = "a running search") -> None:
        self._folder = folder
        self._path = folder / ".lock"
        self._holder = holder
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Become the only writer.

        Raises:
            ResultsHeldError: Another one lives, or moved the folder meanwhile.
            OSError: The folder cannot be written.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._wait_for(descriptor)
            if not _still_there(descriptor, self._path):  # another driver moved or removed the folder meanwhile
                raise _held(self._folder, self._holder)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go of it; nothing happens where it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _wait_for(self, descriptor: int) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise _held(self._folder, self._holder) from None
                time.sleep(0.05)


def is_held(folder: Path) -> bool:
    """Return whether a live process writes to a folder; never creates or changes anything."""
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


def refuse_if_held(folder: Path, holder: str = "a running search") -> None:
    """Called before work that a live writer of the same folder would make vain.

    Args:
        folder: The folder.
        holder: Who may hold it, as an error says it.

    Raises:
        ResultsHeldError: A live process writes to the folder.
    """
    if is_held(folder):
        raise _held(folder, holder)


def _still_there(lock: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(lock), path.stat())
    except FileNotFoundError:
        return False


def _held(folder: Path, holder: str) -> ResultsHeldError:
    try:
        process = (folder / ".lock").read_text(errors="replace").strip()[:200]
    except OSError:
        process = ""
    return ResultsHeldError(f"{relative_to_cwd(folder)} is held by {holder} ({process or 'another process'})")
