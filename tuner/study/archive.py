"""A checkpoint as one file, an uncompressed tar of its folder.

What would reach out of the folder is neither packed nor unpacked.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path


def pack(folder: Path, archive: Path, *, first: Mapping[str, bytes]) -> None:
    """Write what lies in a folder into a tar file, without owners and machine-dependent names.

    Args:
        folder: What is packed.
        archive: The file to write.
        first: Name to content of files that are packed before all others, and instead of any of their names: what cuts
            the archive short leaves them whole.

    Raises:
        OSError: A file cannot be read, or the archive not written.
        ValueError: The folder holds something other than files, folders and relative links within it.
    """

    def written(member: tarfile.TarInfo) -> tarfile.TarInfo:
        _checked(member, str(folder))
        return member.replace(uid=0, gid=0, uname="", gname="", deep=False)

    try:
        with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
            for name, content in first.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
            for path in sorted(folder.iterdir()):
                if path.name not in first:
                    tar.add(path, path.name, filter=written)
    except tarfile.TarError as error:
        raise ValueError(str(error)) from error


def unpack(archive: Path, folder: Path) -> None:
    """Extract what ``pack`` wrote into an empty folder, which exists.

    Raises:
        OSError: The archive cannot be read, or the folder not written.
        ValueError: It is no whole tar file, or holds what ``pack`` refuses; the folder may hold a part of it.
    """
    try:
        with tarfile.open(archive, "r:") as tar:
            tar.extractall(folder, filter=_checked)  # noqa: S202 (the filter is what the rule asks for)
    except (tarfile.TarError, EOFError, OverflowError) as error:  # what damage leads to
        raise ValueError(str(error)) from error


def _checked(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo:
    """Return how a member is extracted into a folder.

    Raises:
        tarfile.TarError: It is a device, a sparse file, or a name or link that leaves the folder.
    """
    if member.issparse():  # a few bytes that claim to be any number of bytes
        raise tarfile.FilterError(f"'{member.name}' is a sparse file")
    plain = tarfile.data_filter(member, folder)
    if plain.name != member.name:
        raise tarfile.FilterError(f"'{member.name}' is an absolute name")
    return plain
