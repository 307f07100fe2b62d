"""Addresses of results on object storage, ``s3://bucket/prefix``: how they are written, and where they are at work."""

from __future__ import annotations

import re
from pathlib import Path

SCHEME = "s3://"

#: Local folder that stands for an address in this process, to that address; filled by ``tuner.storage.copies``.
WORKING_COPIES: dict[Path, str] = {}

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PART = re.compile(r"[A-Za-z0-9._=+@-]+")


def without_secrets(text: str) -> str:
    """Return an address of any kind without what stands before its @, which may be a password."""
    return re.sub(r"(?<=://).*@", "***@", text)


def is_address(text: str) -> bool:
    """Return whether a text means object storage rather than a folder."""
    return text.startswith(SCHEME)


def split_address(text: str) -> tuple[str, str]:
    """Return bucket and prefix, the latter without slashes at its ends, of a good address."""
    bucket, _, prefix = text.removeprefix(SCHEME).partition("/")
    return bucket, prefix.rstrip("/")


def address_problem(text: str) -> str | None:
    """Return what is wrong with an address as the end of a sentence about it; None if nothing is."""
    bucket, prefix = split_address(text)
    if _BUCKET.fullmatch(bucket) is None or ".." in bucket:
        said = "" if re.search("[:@]", bucket) else f" in '{bucket}'"  # it may be a password
        return f"has no bucket{said}: 3 to 63 of a-z, 0-9, '.', '-', such as {SCHEME}bucket/prefix"
    for part in prefix.split("/") if prefix else ():
        if _PART.fullmatch(part) is None or part in {".", ".."}:
            return f"has '{part}' in its prefix, where names of a-z, A-Z, 0-9 and . _ = + @ - may stand between slashes"
    return None


def in_working_copy(path: Path) -> tuple[str, str] | None:
    """Return the address that a path's working copy stands for, and its name there; None for any other path.

    The name of the copy itself is empty.
    """
    for root, address in WORKING_COPIES.items():
        if path.is_relative_to(root):
            return address, "/".join(path.relative_to(root).parts)
    return None


def address_of(path: Path) -> str | None:
    """Return the address that a path in a working copy stands for; None for any other path."""
    found = in_working_copy(path)
    return None if found is None else "/".join(filter(None, found))
