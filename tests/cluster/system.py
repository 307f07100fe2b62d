"""What the system knows of processes and ports."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
from collections.abc import Iterator
from pathlib import Path

#: The system gives none of these ports to whoever asks for any.
_FIRST, _COUNT = 10_000, 20_000


def session(leader: int) -> list[int]:
    """Return the processes of a session that have not ended."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended
            state, _, _, number = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:4]
            if int(number) == leader and state not in "ZX":
                found.append(int(entry.name))
    return found


def free_ports() -> Iterator[int]:
    """Yield ports on which nothing listens, each once; another process begins elsewhere."""
    for place in itertools.count(os.getpid() * 101):
        port = _FIRST + place % _COUNT
        if _is_free(port):
            yield port


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        try:
            listener.bind(("", port))
        except OSError:
            return False
    return True
