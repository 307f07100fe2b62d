"""The cache of decoded data sets, shared by all searches of a machine.

``<cache>/datasets/<fingerprint>/`` holds one data set; ``<cache>/datasets/sources/<source>`` names the fingerprint
that a source had when it was last decoded. Everything is written beside its place and renamed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from tuner.datasets.contents import Contents
from tuner.datasets.entry import is_entry, read_entry, write_entry
from tuner.datasets.prepared import PreparedData
from tuner.facts.errors import StorageError


def cache_folder() -> Path:
    """Return ``$TUNER_CACHE``, or ``~/.cache/tuner`` where it is not set."""
    return Path(os.environ.get("TUNER_CACHE") or "~/.cache/tuner").expanduser().absolute()


@dataclass(frozen=True)
class Cache:
    """The decoded data sets under one cache folder. Writing raises ``StorageError`` where there is no room."""

    folder: Path

    @property
    def datasets(self) -> Path:
        """Where the decoded data sets lie."""
        return self.folder / "datasets"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the cache's only writer; a process that had to wait finds the other's work done."""
        with self._writing():
            (self.datasets / "sources").mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.datasets / ".lock")
            lock.acquire()
        try:
            for left in self.datasets.glob(".new-*"):  # by a writer that was killed: this process is the only one now
                shutil.rmtree(left, ignore_errors=True)
            yield
        finally:
            lock.release()

    def find(self, source: str) -> PreparedData | None:
        """Return what a source was decoded to; None if it never was, or if that is damaged or gone."""
        try:
            fingerprint = (self.datasets / "sources" / source).read_text(encoding="ascii")
        except (OSError, ValueError):
            return None
        return read_entry(self.datasets / fingerprint) if fingerprint else None

    def entry(self, fingerprint: str) -> PreparedData | None:
        """Return the data set of a fingerprint; None if it is not here, or damaged."""
        return read_entry(self.datasets / fingerprint)

    def take_in(self, fingerprint: str, fetch: Callable[[Path], None]) -> PreparedData:
        """Put a data set that was decoded elsewhere into the cache; the caller holds the lock.

        Args:
            fingerprint: Its own.
            fetch: Puts the files of its entry into an empty folder.

        Raises:
            StorageError: The cache is full or cannot be written, or what came is not what was meant.
        """
        with self._writing(), tempfile.TemporaryDirectory(prefix=".new-", dir=self.datasets) as temporary:
            beside = Path(temporary) / "entry"
            beside.mkdir()
            fetch(beside)
            if not is_entry(beside, fingerprint):
                raise StorageError(f"the data set {fingerprint[:12]} arrived damaged")
            self._place(beside, fingerprint)
        data = self.entry(fingerprint)
        assert data is not None, "an entry that was just checked reads back"
        return data

    def _place(self, beside: Path, fingerprint: str) -> None:
        target = self.datasets / fingerprint
        shutil.rmtree(target, ignore_errors=True)  # damaged; processes that map its files keep them
        beside.replace(target)

    def add(self, source: str, contents: Contents) -> PreparedData:
        """Decode a data set into the cache and note where it came from; the caller holds the lock.

        Raises:
            UsageError: An image that cannot be decoded, or images of different sizes.
            StorageError: The cache is full or cannot be written.
        """
        with self._writing(), tempfile.TemporaryDirectory(prefix=".new-", dir=self.datasets) as temporary:
            beside = Path(temporary) / "entry"
            beside.mkdir()
            fingerprint = write_entry(beside, contents)
            if (data := self.entry(fingerprint)) is None:
                self._place(beside, fingerprint)
                data = self.entry(fingerprint)
            note = Path(temporary) / "note"
            note.write_text(fingerprint, encoding="ascii")
            note.replace(self.datasets / "sources" / source)
        assert data is not None, "an entry that was just written reads back"
        return data

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"the cache folder {self.folder} cannot be written ({error.strerror or error}); "
                "make room there or set TUNER_CACHE to another folder"
            ) from error
