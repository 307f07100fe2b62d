"""Links, pipes and devices in a results folder that somebody else may have made."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tuner.facts.errors import ResultsDamagedError, relative_to_cwd


def regular_file(path: Path) -> Path:
    """Return a path that is about to be read: a pipe would be waited for, and a device read, for ever.

    Raises:
        ValueError: Something else than a file lies there.
        OSError: Nothing does, or it cannot be looked at.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is no regular file")
    return path


def refuse_links_out(folder: Path) -> None:
    """Called before a folder is written to: what lies in it must not lead to files elsewhere, nor be a pipe or device.

    A folder that came from somebody else could say that its log, say, is a file of the user's. A search's folder may
    itself be a link, and links within it, as in checkpoints of one's own trainable, stay.

    Args:
        folder: A search's, or one of a comparison or a model in it, for which all of the search's is looked at.

    Raises:
        ResultsDamagedError: A link leads out of it, or a pipe, a device or a socket lies in it.
        OSError: It cannot be read.
    """
    above = (folder.parent.parent, folder.parent)
    whole = next((path for path in above if (path / "search.json").exists()), folder)
    root = whole.resolve()
    pending = [whole]
    while pending:
        for entry in _entries(pending.pop()):
            if not entry.is_symlink():
                if entry.is_dir():
                    pending.append(Path(entry.path))
                elif not entry.is_file() and Path(entry.path).exists():
                    raise ResultsDamagedError(f"{relative_to_cwd(Path(entry.path))} is no regular file; remove it")
            elif not Path(os.path.realpath(entry.path)).is_relative_to(root):
                raise ResultsDamagedError(
                    f"{relative_to_cwd(Path(entry.path))} is a link that leads out of {relative_to_cwd(whole)}, and "
                    "nothing is written through such a link; put the files themselves there"
                )


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:  # removed a moment ago by a live search, which the lock will tell of
        return []
