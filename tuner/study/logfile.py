"""What a trial prints, into a file of its own."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from pathlib import Path

from tuner.facts.errors import StorageError
from tuner.storage.copies import fetch, origin, push

#: How often a log that grows is put on object storage; seldomer where a put takes long.
_PUSH_SECONDS = 10.0
_PUSH_SHARE = 0.05


class LogFile:
    """Sends what this process prints to ``logs/<number>.log`` until closed.

    It works on file descriptors, so what libraries and crashes print is caught too. In a working copy the log is put on
    object storage every few seconds, so that it can be read from elsewhere, also when the process hangs or is killed.
    """

    def __init__(self, folder: Path, number: int, *, continued: bool = False) -> None:
        """Open for appending: a further attempt at a trial goes on in the same log.

        Args:
            folder: The folder ``logs`` of a search.
            number: The trial.
            continued: Whether earlier attempts, perhaps on other nodes, have printed.

        Raises:
            StorageError: It cannot be written.
        """
        self._path = folder / f"{number}.log"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if continued:
                fetch(self._path)
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise StorageError(f"the log of a trial cannot be written: {error.strerror}") from error
        _flush()
        self._saved = [(stream, os.dup(stream)) for stream in (1, 2)]
        for stream, _ in self._saved:
            os.dup2(file, stream)
        os.close(file)
        self._pusher = None if origin(self._path) is None else _Pusher(self._path)

    def push(self) -> None:
        """Called when all has been printed: let others read it, if they could not until now."""
        _flush()
        if self._pusher is not None:
            self._pusher.push()

    def close(self) -> None:
        """Send prints back where they went before; an empty log is removed."""
        _flush()
        for stream, saved in self._saved:
            os.dup2(saved, stream)
            os.close(saved)
        self._saved = []
        if self._pusher is not None:
            self._pusher.close()
        if self._path.exists() and self._path.stat().st_size == 0:
            self._path.unlink()


class _Pusher(threading.Thread):
    """Puts a file that grows on object storage. A failure is nobody's end: what counts is written elsewhere."""

    def __init__(self, path: Path) -> None:
        super().__init__(name="trial log", daemon=True)
        self._path = path
        self._size = path.stat().st_size
        self._left = threading.Event()
        self._lock = threading.Lock()
        self.start()

    def run(self) -> None:
        pause = _PUSH_SECONDS
        while not self._left.wait(pause):
            began = time.monotonic()
            self.push()
            pause = max(_PUSH_SECONDS, (time.monotonic() - began) / _PUSH_SHARE)

    def push(self) -> None:
        """Put the file, if it has grown."""
        with self._lock, contextlib.suppress(OSError, StorageError):
            size = self._path.stat().st_size
            if size != self._size:
                push(self._path)
                self._size = size

    def close(self) -> None:
        """End the thread and put what is left."""
        self._left.set()
        self.join()
        self.push()


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
