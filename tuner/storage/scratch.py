"""Temporary folders of processes that may be killed: what a dead one left is removed when the next one is made.

Each is held by the kernel's lock (flock) on a file in it, which falls with its process, however that dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "tuner-copy-"
_LOCK = "held"
_CONTENT = "content"

_held: dict[Path, int] = {}


def make_scratch() -> Path:
    """Return a new empty folder of this process.

    Raises:
        OSError: It cannot be made.
    """
    _remove_orphans()
    holder = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
    unheld = holder / f"{_LOCK}.new"  # not yet under its name: nobody takes the folder for an orphan
    descriptor = os.open(unheld, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    unheld.rename(holder / _LOCK)
    content = holder / _CONTENT
    content.mkdir()
    _held[content] = descriptor
    return content


def remove_scratch(folder: Path) -> None:
    """Remove a folder that ``make_scratch`` returned in this process."""
    shutil.rmtree(folder.parent, ignore_errors=True)
    os.close(_held.pop(folder))


def _remove_orphans() -> None:
    """Remove what processes of this user left that were killed; what cannot be looked at is somebody else's."""
    for holder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if holder.lstat().st_uid != os.getuid():
                continue
            descriptor = os.open(holder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(holder, ignore_errors=True)
            finally:
                os.close(descriptor)
