"""The bytes of a search file: text in a regular file or in a pipe that is open, of a size that people write."""

from __future__ import annotations

import stat
from pathlib import Path

from tuner.facts.errors import UsageError

MAX_BYTES = 1_000_000

#: Where what the shell has opened is found by its number.
DESCRIPTORS = (Path("/dev/fd"), Path("/proc/self/fd"))


def read_text(path: Path) -> str:
    """Return the text of a search file.

    Args:
        path: A regular file, or a pipe such as ``<(tuner show 17 --config)`` in a shell makes one; that is read once.

    Raises:
        UsageError: It is missing, unreadable, no regular file, too large, or not text in UTF-8.
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise UsageError(f"{path} is a folder, not a search file")
        # A FIFO with a name is not opened: that would wait for a writer.
        open_pipe = stat.S_ISFIFO(status.st_mode) and path.parent in DESCRIPTORS
        if not stat.S_ISREG(status.st_mode) and not open_pipe:
            raise UsageError(f"{path} is not a regular file")
        if status.st_size > MAX_BYTES:
            raise UsageError(f"{path} has {status.st_size:,} bytes; a search file has at most {MAX_BYTES:,}")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:  # a pipe does not say its size
            raise UsageError(f"{path} holds more than {MAX_BYTES:,} bytes, the most of a search file")
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"{path} cannot be read: {reason}") from error
    if b"\0" in content:
        raise UsageError(f"{path} is a binary file, not a search file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text in UTF-8 (byte {error.start})") from error
