"""What a trial prints, into a file of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tuner.facts.errors import StorageError


class LogFile:
    """Sends what this process prints to ``logs/<number>.log`` until closed.

    It works on file descriptors, so what libraries and crashes print is caught too.
    """

    def __init__(self, folder: Path, number: int) -> None:
        """Open for appending: a further attempt at a trial goes on in the same log.

        Raises:
            StorageError: It cannot be written.
        """
        self._path = folder / f"{number}.log"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise StorageError(f"the log of a trial cannot be written: {error.strerror}") from error
        _flush()
        self._saved = [(stream, os.dup(stream)) for stream in (1, 2)]
        for stream, _ in self._saved:
            os.dup2(file, stream)
        os.close(file)

    def close(self) -> None:
        """Send prints back where they went before; an empty log is removed."""
        _flush()
        for stream, saved in self._saved:
            os.dup2(saved, stream)
            os.close(saved)
        self._saved = []
        if self._path.exists() and self._path.stat().st_size == 0:
            self._path.unlink()


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
