"""Checksums of the files of a checkpoint, kept in it: a trial goes on from what was written, or not from it at all."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

#: The name of the file that holds them, in a checkpoint alone; a trainable never sees it.
SUMS_FILE = ".tuner-sums.json"

_PIECE = 1 << 20


def sums_of(folder: Path) -> bytes:
    """Return what ``check_sums`` compares: the size and CRC-32 of each file below a folder, as JSON.

    Links are followed by nobody who goes on from a checkpoint, and folders hold nothing by themselves.

    Raises:
        OSError: A file cannot be read.
    """
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
    sums = {str(path.relative_to(folder)): _sum(path) for path in files if path.name != SUMS_FILE}
    return json.dumps(sums).encode()  # in ASCII: a name may be no text


def check_sums(folder: Path) -> None:
    """Compare a copy of a checkpoint with the sums that came along, and remove those from it.

    Checkpoints of earlier versions have none and are taken as they are. What lies there besides is left alone.

    Raises:
        OSError: A file cannot be read.
        ValueError: A file is missing or not what was written, or there is nothing.
    """
    path = folder / SUMS_FILE
    if not path.is_file():
        if not any(folder.iterdir()):
            raise ValueError("it is empty")
        return
    sums = json.loads(path.read_bytes())
    if not isinstance(sums, dict):
        raise ValueError("its checksums are damaged")
    for name, wanted in sums.items():
        file = folder / name
        if file.is_symlink() or not file.is_file():
            raise ValueError(f"'{name}' is missing")
        if _sum(file) != wanted:
            raise ValueError(f"'{name}' is damaged")
    path.unlink()


def _sum(path: Path) -> list[int]:
    """Return size in bytes and CRC-32 of a file."""
    size, crc = 0, 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            size, crc = size + len(piece), zlib.crc32(piece, crc)
    return [size, crc]
