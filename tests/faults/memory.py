"""A group of processes whose memory the kernel bounds: it kills, with its own out-of-memory killer, what takes more."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_ROOT = Path("/sys/fs/cgroup")


@contextmanager
def bounded_memory(size: int) -> Iterator[Path]:
    """Make a group that may take ``size`` bytes; yields the file to which a process that joins writes its id."""
    second = (_ROOT / "cgroup.controllers").exists()
    group = (_ROOT if second else _ROOT / "memory") / f"tuner-tests-{os.getpid()}"
    try:
        if second:
            (_ROOT / "cgroup.subtree_control").write_text("+memory")
        group.mkdir()
        (group / ("memory.max" if second else "memory.limit_in_bytes")).write_text(str(size))
        swap, most = ("memory.swap.max", 0) if second else ("memory.memsw.limit_in_bytes", size)
        if (group / swap).exists():  # what is swapped out would not be killed
            (group / swap).write_text(str(most))
    except OSError as error:
        pytest.skip(f"control groups cannot be made here: {error}")
    try:
        yield group / "cgroup.procs"
    finally:
        deadline = time.monotonic() + 120
        while (group / "cgroup.procs").read_text():
            assert time.monotonic() < deadline, "what had joined has ended by now"
            time.sleep(0.05)
        group.rmdir()
