"""One writer below a prefix: ``lease.json`` says who, and is put again every few seconds while that process lives.

How old a lease is, is asked of the storage alone (the date of its answer less the time of the put), so that no
machine's clock matters. A put or removal holds only for the lease that was read before it: one that was on its way for
long touches no other writer's. A lease keeps others away; it does not hold back a writer that was asleep and wakes up.
For a log the numbers of its segments do: see ``tuner.storage.segments``.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from tuner.facts.errors import ResultsHeldError, StorageError
from tuner.facts.printable import printable
from tuner.storage.objects import Content, Objects

NAME = "lease.json"

_BEAT_SECONDS = 5.0
#: A lease that was not put again for this long is that of a dead process.
_LIFETIME_SECONDS = 20.0
#: How often one who waits looks.
_LOOK_SECONDS = 1.0


class Lease:
    """The lease of what lies below one prefix.

    Args:
        objects: What lies there.
        holder: Who may hold it, as an error says it.
    """

    def __init__(self, objects: Objects, holder: str = "a running search") -> None:
        self._objects = objects
        self._holder = holder
        self._writer = secrets.token_hex(8)
        self._beats = 0
        self._left = threading.Event()
        self._thread: threading.Thread | None = None

    def acquire(self) -> None:
        """Become the holder. A dead one's lease is taken over, at once where it died on this machine.

        Raises:
            ResultsHeldError: Another process holds it and lives.
            StorageError: The storage fails.
        """
        dead = wait_until_free(self._objects, self._holder)
        if dead is None:
            put = self._objects.create(NAME, self._record())
        else:
            put = self._objects.replace(NAME, self._record(), dead)
        if not put and self._ours() is None:  # a put whose answer was lost is ours all the same
            raise _held(self._objects, self._holder)
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)
        self._thread.start()

    def is_ours(self) -> bool:
        """Return whether nobody took it over."""
        return self._ours() is not None

    def release(self) -> None:
        """Let go of it; where the storage fails it runs out by itself."""
        self.abandon()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
            with contextlib.suppress(StorageError):
                if (content := self._ours()) is not None:
                    self._objects.discard(NAME, content)

    def abandon(self) -> None:
        """Hold it no longer without saying so: it runs out."""
        self._left.set()

    def _beat(self) -> None:
        while not self._left.wait(_BEAT_SECONDS):
            with contextlib.suppress(StorageError):  # it may be back before the lease has run out
                if (content := self._ours()) is None:
                    return
                self._objects.replace(NAME, self._record(), content)

    def _ours(self) -> Content | None:
        content = self._objects.read(NAME)
        return content if content is not None and _parsed(content).get("writer") == self._writer else None

    def _record(self) -> bytes:
        self._beats += 1
        record = {
            "process": os.getpid(),
            "host": socket.gethostname(),
            "machine": _machine(),
            "writer": self._writer,
            "beat": self._beats,
        }
        return (json.dumps(record, indent=2) + "\n").encode()


def is_leased(objects: Objects) -> bool:
    """Return whether a live process holds the lease, as far as one look can tell."""
    content = objects.read(NAME)
    return content is not None and _is_live(content)


def lessee(objects: Objects) -> str | None:
    """Return the live process that holds the lease, as far as one look can tell; None where there is none."""
    content = objects.read(NAME)
    return _process(content) if content is not None and _is_live(content) else None


def wait_until_free(objects: Objects, holder: str) -> Content | None:
    """Return once no live process holds the lease: at once where there is none, else when it has run out.

    Returns:
        A dead one's lease that lies there, or None.

    Raises:
        ResultsHeldError: It was put again meanwhile, so that its holder lives.
        StorageError: The storage fails.
    """
    seen: Content | None = None
    began = time.monotonic()
    while (content := objects.read(NAME)) is not None and _is_live(content):
        if seen is not None and content.tag != seen.tag:
            raise _held(objects, holder)
        if time.monotonic() - began > _LIFETIME_SECONDS:  # the storage's clocks disagree, but nobody put it again
            break
        seen = content
        time.sleep(_LOOK_SECONDS)
    return content


def _is_live(content: Content) -> bool:
    record = _parsed(content)
    if record.get("machine") == _machine() and not _runs(record.get("process")):
        return False
    return (content.now - content.modified).total_seconds() < _LIFETIME_SECONDS


def _parsed(content: Content) -> dict[str, Any]:
    try:
        record = json.loads(content.data)
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _held(objects: Objects, holder: str) -> ResultsHeldError:
    return ResultsHeldError(f"{objects.address} is held by {holder} ({_process(objects.read(NAME))})")


def _process(content: Content | None) -> str:
    """Return who put a lease."""
    record = {} if content is None else _parsed(content)
    if {"process", "host"} <= record.keys():
        return printable(f"process {record['process']} on {record['host']}"[:200])
    return "another process"


def _runs(process: object) -> bool:
    if not isinstance(process, int) or process <= 0:
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it is another user's
        return True
    return True


def _machine() -> str:
    """Return what tells this machine, since it started, and this container from all others."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return f"{socket.gethostname()} {uuid.getnode()}"
