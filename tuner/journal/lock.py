"""One writer for a folder: the kernel's lock (flock) on ``.lock`` in it falls with its process, however that dies.

A working copy of object storage is locked by the lease of what it stands for.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from pathlib import Path

from tuner.facts.errors import ResultsHeldError, relative_to_cwd
from tuner.facts.printable import printable
from tuner.journal.links import refuse_links_out, regular_file
from tuner.storage.copies import origin
from tuner.storage.lease import Lease, is_leased, lessee, wait_until_free

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
        self._lease: Lease | None = None

    def acquire(self) -> None:
        """Become the only writer.

        Raises:
            ResultsHeldError: Another one lives, or moved the folder meanwhile.
            ResultsDamagedError: A link in the folder leads out of it, or a pipe or a device lies in it.
            OSError: The folder cannot be written.
            StorageError: The object storage fails.
        """
        if (found := origin(self._folder)) is not None:
            objects, name = found
            self._lease = Lease(objects.below(name), self._holder)
            self._lease.acquire()
            return
        refuse_links_out(self._folder)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
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

    def confirm(self) -> None:
        """Called before what others may read is replaced; a lock of a folder is taken from no live process.

        Raises:
            ResultsHeldError: Another process took it over while this one was asleep or cut off.
            StorageError: The object storage fails.
        """
        if self._lease is not None and not self._lease.is_ours():
            raise ResultsHeldError(
                f"{relative_to_cwd(self._folder)} was taken over by {self._holder} while this process was cut off"
            )

    def release(self) -> None:
        """Let go of it; nothing happens where it is not held."""
        if self._lease is not None:
            self._lease.release()
            self._lease = None
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
    if (found := origin(folder)) is not None:
        objects, name = found
        return is_leased(objects.below(name))
    try:
        probe = os.open(folder / ".lock", os.O_RDONLY | os.O_NONBLOCK)  # a pipe is not waited for
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


def holder_of(folder: Path) -> str | None:
    """Return the live process that writes to a folder, such as ``process 17 on head``; None where there is none."""
    if (found := origin(folder)) is not None:
        objects, name = found
        return lessee(objects.below(name))
    return _process(folder) if is_held(folder) else None


def refuse_if_held(folder: Path, holder: str = "a running search") -> None:
    """Called before work that a live writer of the same folder would make vain.

    Args:
        folder: The folder.
        holder: Who may hold it, as an error says it.

    Raises:
        ResultsHeldError: A live process writes to the folder.
    """
    if (found := origin(folder)) is not None:
        objects, name = found
        wait_until_free(objects.below(name), holder)  # after a death elsewhere a look alone cannot tell
    elif is_held(folder):
        raise _held(folder, holder)


def _still_there(lock: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(lock), path.stat())
    except FileNotFoundError:
        return False


def _held(folder: Path, holder: str) -> ResultsHeldError:
    return ResultsHeldError(f"{relative_to_cwd(folder)} is held by {holder} ({_process(folder)})")


def _process(folder: Path) -> str:
    """Return who locked a folder last."""
    try:
        return printable(regular_file(folder / ".lock").read_text(errors="replace").strip()[:200]) or "another process"
    except (OSError, ValueError):
        return "another process"
