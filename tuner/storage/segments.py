"""A log on object storage: numbered segments of whole lines, each written once and never changed, moved or removed.

    segments/00000000.jsonl ...             what one call made durable
    packs/00000000-00000499.jsonl ...       the same bytes, many segments in one object, for readers

The put of a segment holds only if no object of that name is there. That is the fence: of two writers that both believe
that the log is theirs, the one who comes second to a number is told so and stops. A writer therefore begins with an
empty segment of its own, and from then on nothing that an older one still sends can join the log.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from tuner.facts.errors import ResultsHeldError, StorageError
from tuner.storage.lease import Lease
from tuner.storage.objects import Objects
from tuner.storage.stored_log import pack_name, segment_name, stored_log

_PACK_SIZE = 500

#: A dead writer's last puts may still arrive; more than a few of them are no accident.
_CLAIMS = 20


class SegmentStorage:
    """A log below a prefix, leased; what is durable of it also lies in ``events.jsonl`` of a working copy.

    Args:
        objects: What lies below the prefix.
        copy: The file of the working copy; there while the log is open.
        pack_size: How many segments go into a pack.
    """

    def __init__(self, objects: Objects, copy: Path, *, pack_size: int = _PACK_SIZE) -> None:
        self._objects = objects
        self._copy = copy
        self._pack_size = pack_size
        self._lease = Lease(objects)
        self._writer = secrets.token_hex(8)
        self._next = 0
        self._packed = 0
        self._unpacked: list[bytes] = []
        self._pending = b""
        self._failure: Exception | None = None

    def lock(self) -> None:
        """Become the only writer.

        Raises:
            ResultsHeldError: Another one lives.
            ResultsDamagedError: Segments are missing.
            StorageError: The storage fails, or writes over an object that was to be written once.
        """
        self._lease.acquire()
        try:
            self._claim()
        except BaseException:
            self._lease.release()
            raise

    def read(self) -> bytes:
        """Return the whole log."""
        return self._copy.read_bytes()

    def truncate(self, size: int) -> None:
        """Never called: segments hold whole lines."""
        raise AssertionError(f"a log of segments is not cut to {size} bytes")

    def append(self, data: bytes, *, sync: bool) -> None:
        """Write ``data`` at the end, all of it or none; without ``sync`` it is held until the next call with it.

        After a failure nobody knows whether the last segment is there: every further call fails as well.

        Raises:
            StorageError: The storage fails.
            ResultsHeldError: Another writer took the log over.
        """
        if self._failure is not None:
            raise self._failure
        self._pending += data
        if not sync or not self._pending:
            return
        self._failure = StorageError(f"{self._objects.address}: an earlier write was interrupted")
        try:
            self._put(self._pending)
        except (StorageError, ResultsHeldError) as error:
            self._failure = error
            raise
        self._failure = None
        self._pending = b""

    def confirm(self) -> None:
        """Raise ResultsHeldError where another writer took the log over: its first segment then follows our last."""
        content = self._objects.read(segment_name(self._next))
        if content is not None and content.metadata.get("writer") != self._writer:
            raise self._taken_over()

    def close(self) -> None:
        """Make all durable and let go of the lease."""
        try:
            if self._failure is None:
                self.append(b"", sync=True)
        finally:
            self._copy.unlink(missing_ok=True)  # from here on others may write: readers ask the storage
            if isinstance(self._failure, StorageError):
                self._lease.abandon()
            else:
                self._lease.release()

    def _claim(self) -> None:
        """Read the log and end it with an empty segment of ours, so that nothing of another writer can follow."""
        for _ in range(_CLAIMS):
            stored = stored_log(self._objects)
            parts = stored.parts(self._objects)
            if self._create(segment_name(stored.segments), b""):
                self._require_fence(segment_name(stored.segments))
                self._next, self._packed = stored.segments + 1, stored.packed
                packs = len(parts) - (stored.segments - stored.packed)
                self._unpacked = [*parts[packs:], b""]
                self._write_copy("wb", b"".join(parts))
                self._pack()
                return
            if not self._lease.is_ours():
                break
        raise ResultsHeldError(f"{self._objects.address} is held by another search that started at the same time")

    def _require_fence(self, name: str) -> None:
        if self._objects.create(name, b"", metadata={"writer": self._writer}):
            raise StorageError(
                f"{self._objects.address}: this object storage ignores If-None-Match, so that two searches could write "
                "over each other; choose a storage with conditional writes, or a folder"
            )

    def _put(self, data: bytes) -> None:
        if not self._create(segment_name(self._next), data):
            raise self._taken_over()
        self._next += 1
        self._unpacked.append(data)
        self._write_copy("ab", data)
        self._pack()

    def _taken_over(self) -> ResultsHeldError:
        return ResultsHeldError(
            f"{self._objects.address} was taken over by another search while this one was cut off from it"
        )

    def _create(self, name: str, data: bytes) -> bool:
        """Write a segment; False where another writer did. A put whose answer was lost may have been taken."""
        if self._objects.create(name, data, metadata={"writer": self._writer}):
            return True
        content = self._objects.read(name)
        return content is not None and content.metadata.get("writer") == self._writer and content.data == data

    def _pack(self) -> None:
        """Put segments that make a pack together; where that fails it is done with a later one."""
        while len(self._unpacked) >= self._pack_size:
            data = b"".join(self._unpacked[: self._pack_size])
            last = self._packed + self._pack_size - 1
            try:
                self._objects.create(pack_name(self._packed, last), data)
            except StorageError:
                return
            self._packed = last + 1
            del self._unpacked[: self._pack_size]

    def _write_copy(self, mode: str, data: bytes) -> None:
        try:
            with self._copy.open(mode) as file:
                file.write(data)
        except OSError as error:
            raise StorageError(
                f"the working copy of {self._objects.address} is not writable: {error.strerror}"
            ) from error
