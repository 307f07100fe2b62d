"""Requests to the driver of a running search: one file each in the folder ``requests`` of its results."""

from __future__ import annotations

import contextlib
import re
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from tuner.facts.errors import StorageError, relative_to_cwd
from tuner.facts.printable import printable
from tuner.journal.storage import write_json
from tuner.storage.copies import origin, remove

FOLDER = "requests"

_STOP = re.compile(r"stop-[0-9a-f]{1,32}\.json")

#: How often a driver looks; a look at object storage is a request that costs something.
_LOOK_SECONDS = 1.0
_LOOK_FAR_SECONDS = 5.0


def ask_to_stop(folder: Path) -> None:
    """Ask the driver of a search to end in good order; it takes the file away when it has seen it.

    Raises:
        StorageError: The request cannot be written.
    """
    requests = folder / FOLDER
    try:
        requests.mkdir(exist_ok=True)
    except OSError as error:
        raise StorageError(f"{relative_to_cwd(requests)} cannot be made: {error.strerror}") from error
    write_json(requests / f"stop-{uuid.uuid4().hex}.json", {"version": 1, "request": "stop", "at": time.time()})


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
        self._folder = folder / FOLDER
        self._notice = notice
        self._objects = origin(self._folder)
        self._seen: set[str] = set()
        self._unknown: list[str] = []
        self._stop_asked = False
        self._left = threading.Event()
        self._earlier = frozenset(self._names())

    @property
    def stop(self) -> bool:
        """Whether somebody asked for the end of the search; read often, in the driver's thread, which tells people."""
        while self._unknown:
            name = printable(self._unknown.pop())
            self._notice(f"ignored {relative_to_cwd(self._folder)}/{name}, which is no request")
        return self._stop_asked

    def __enter__(self) -> Requests:
        self._look()
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._left.set()
        self.join(_LOOK_FAR_SECONDS)  # a look at a storage that went away may take minutes, and is worth nothing now

    def run(self) -> None:
        """Look again and again."""
        while not self._left.wait(_LOOK_SECONDS if self._objects is None else _LOOK_FAR_SECONDS):
            self._look()

    def _look(self) -> None:
        # What cannot be read now may be readable at the next look; a log that cannot be written ends the search.
        with contextlib.suppress(OSError, StorageError):
            for name in self._names():
                if name in self._seen or name.startswith("."):
                    continue
                self._seen.add(name)
                if _STOP.fullmatch(name):
                    self._stop_asked |= name not in self._earlier
                    remove(self._folder / name)
                else:
                    self._unknown.append(name)

    def _names(self) -> list[str]:
        if self._objects is None:
            return [path.name for path in self._folder.iterdir()] if self._folder.is_dir() else []
        objects, name = self._objects
        return [stored.name for stored in objects.below(name).list()]
