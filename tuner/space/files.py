"""The bytes of a search file: a regular file of text, of a size that people write."""

from __future__ import annotations

import stat
from pathlib import Path

from tuner.facts.errors import UsageError

MAX_BYTES = 1_000_000


def read_text(path: Path) -> str:
    """Return the text of a search file.

    Raises:
        UsageError: It is missing, unreadable, no regular file, too large, or not text in UTF-8.
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise UsageError(f"{path} is a folder, not a search file")
        if not stat.S_ISREG(status.st_mode):  # opening a FIFO would wait for a writer
            raise UsageError(f"{path} is not a regular file")
        if status.st_size > MAX_BYTES:
            raise UsageError(f"{path} has {status.st_size:,} bytes; a search file has at most {MAX_BYTES:,}")
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"{path} cannot be read: {reason}") from error
    if b"\0" in content:
        raise UsageError(f"{path} is a binary file, not a search file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text in UTF-8 (byte {error.start})") from error
