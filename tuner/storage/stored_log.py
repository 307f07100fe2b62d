"""A log on object storage as it lies there, for its readers and its writer: see ``tuner.storage.segments``."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tuner.facts.errors import ResultsDamagedError
from tuner.storage.objects import Objects

SEGMENTS = "segments/"
PACKS = "packs/"

_THREADS = 16

_SEGMENT_NAME = re.compile(r"segments/(\d{8})\.jsonl")
_PACK_NAME = re.compile(r"packs/(\d{8})-(\d{8})\.jsonl")


@dataclass(frozen=True)
class StoredLog:
    """What lies there of a log: packs of the first segments, then the segments after them.

    Attributes:
        names: The objects to read, in order.
        size: Their bytes.
        packed: How many segments the packs hold.
        segments: How many segments there are, which is also the number of the next.
    """

    names: tuple[str, ...]
    size: int
    packed: int
    segments: int

    def parts(self, objects: Objects) -> list[bytes]:
        """Return the bytes of each object.

        Raises:
            ResultsDamagedError: One of them is gone or ends within a line.
        """
        with ThreadPoolExecutor(_THREADS) as pool:
            parts = list(pool.map(objects.get, self.names))
        found = []
        for name, data in zip(self.names, parts, strict=True):
            if data is None:
                raise ResultsDamagedError(f"{name} is missing")
            if data and not data.endswith(b"\n"):
                raise ResultsDamagedError(f"{name} ends within a line")
            found.append(data)
        return found


def stored_log(objects: Objects) -> StoredLog:
    """Return what lies below a prefix of a log.

    Raises:
        ResultsDamagedError: Segments are missing in between, or something else lies there.
    """
    packs = objects.list(PACKS)
    packed = 0
    for pack in packs:
        first, last = _numbers(pack.name, _PACK_NAME)
        if first != packed:
            raise ResultsDamagedError(f"{PACKS} lacks what comes before {pack.name}")
        packed = last + 1
    segments = objects.list(SEGMENTS, after=segment_name(packed - 1) if packed else "")
    for number, segment in enumerate(segments, start=packed):
        if _numbers(segment.name, _SEGMENT_NAME) != (number,):
            raise ResultsDamagedError(f"{segment_name(number)} is missing, but {segment.name} is there")
    stored = [*packs, *segments]
    return StoredLog(
        names=tuple(item.name for item in stored),
        size=sum(item.size for item in stored),
        packed=packed,
        segments=packed + len(segments),
    )


def read_log(objects: Objects) -> bytes:
    """Return the log below a prefix, without locking it; raises as ``stored_log`` and ``StoredLog.parts`` do."""
    return b"".join(stored_log(objects).parts(objects))


def segment_name(number: int) -> str:
    """Return the name of a segment."""
    return f"{SEGMENTS}{number:08}.jsonl"


def pack_name(first: int, last: int) -> str:
    """Return the name of what holds the segments from ``first`` to ``last``, both included."""
    return f"{PACKS}{first:08}-{last:08}.jsonl"


def _numbers(name: str, pattern: re.Pattern[str]) -> tuple[int, ...]:
    found = pattern.fullmatch(name)
    if found is None:
        raise ResultsDamagedError(f"{name} is no part of a log")
    return tuple(map(int, found.groups()))
