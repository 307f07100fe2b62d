"""Checkpoints of trials on disk: a work folder that a trainable writes into, and durable copies of it.

    checkpoints/<number>/work-a<attempt>/        what the trainable sees as ``checkpoint``
    checkpoints/<number>/a<attempt>-e<epoch>/    what lay in it when that epoch was reported

A copy is complete under its final name or it is not there. The two newest are kept while a trial lives: the last may
be ahead of the log when a driver dies.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
from pathlib import Path

from tuner.facts.errors import StorageError
from tuner.journal.storage import make_durable

_NAME = re.compile(r"a(\d+)-e(\d+)")
_KEPT_WHILE_RUNNING = 2

#: What a storage answers that takes nothing; anything else is the trainable's own doing.
_STORAGE_ERRORS = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EIO,
    errno.EACCES,
    errno.EPERM,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.ESTALE,
}


class TrialCheckpoints:
    """The checkpoints of one attempt at one trial."""

    def __init__(self, root: Path, number: int, attempt: int) -> None:
        """Args: root: the search's checkpoint folder, on storage that all workers share."""
        self._folder = root / str(number)
        self._attempt = attempt
        self.work = self._folder / f"work-a{attempt}"

    def prepare(self, after_epoch: int) -> int:
        """Make the work folder: what the newest checkpoint up to ``after_epoch`` holds, or empty.

        Returns:
            The epoch of that checkpoint, 0 if there is none.

        Raises:
            StorageError: It could not be written.
        """
        try:
            return self._prepare(after_epoch)
        except OSError as error:
            raise _refused(error) from error

    def _prepare(self, after_epoch: int) -> int:
        shutil.rmtree(self.work, ignore_errors=True)
        known = []
        for item in _durable(self._folder):
            if item[0] <= after_epoch:
                known.append(item)
            else:  # ahead of the log: the epoch was lost with the driver and is trained again
                shutil.rmtree(item[2], ignore_errors=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        if not known:
            self.work.mkdir()
            return 0
        epoch, _, newest = max(known)
        shutil.copytree(newest, self.work, symlinks=True)
        return epoch

    def keep(self, epoch: int) -> str | None:
        """Copy the work folder durably; returns the copy's name below the trial's folder, None if it is empty.

        Raises:
            StorageError: It could not be written; older checkpoints are as they were.
            ValueError: What lies in the folder cannot be copied.
        """
        if not self.work.is_dir() or not any(self.work.iterdir()):
            return None
        name = f"a{self._attempt}-e{epoch}"
        unfinished = self._folder / f".{name}.tmp"
        try:
            shutil.rmtree(unfinished, ignore_errors=True)
            shutil.copytree(self.work, unfinished, symlinks=True)
            for path in unfinished.rglob("*"):
                if not path.is_symlink():
                    make_durable(path)
            make_durable(unfinished)
            unfinished.rename(self._folder / name)
            make_durable(self._folder)
        except OSError as error:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise _refused(error) from error
        for _, _, path in sorted(_durable(self._folder))[:-_KEPT_WHILE_RUNNING]:
            shutil.rmtree(path, ignore_errors=True)
        return name

    def clear_work(self) -> None:
        """Remove the work folder, and the trial's folder if nothing is left in it."""
        shutil.rmtree(self.work, ignore_errors=True)
        with contextlib.suppress(OSError):  # not empty, or the driver was faster
            self._folder.rmdir()


def _refused(error: OSError) -> Exception:
    """Return what a failed copy means: a storage that refuses, or contents that nobody can copy.

    shutil collects the errors of single files as texts, which hold the numbers.
    """
    numbers = [error.errno] if error.errno is not None else map(int, re.findall(r"\[Errno (\d+)\]", str(error)))
    for number in numbers:
        if number in _STORAGE_ERRORS:
            return StorageError(f"a checkpoint cannot be written: {os.strerror(number)}")
    return ValueError("what the trainable left in its checkpoint folder cannot be copied")


def last_name(root: Path, number: int) -> str | None:
    """Return the name of a trial's newest durable checkpoint below its folder, or None."""
    known = _durable(root / str(number))
    return max(known)[2].name if known else None


def remove_all_but(root: Path, keep: set[int]) -> None:
    """Remove the checkpoints of every trial whose number is not in ``keep``, and of those all but the newest."""
    for folder in root.iterdir() if root.is_dir() else ():
        if not folder.name.isdigit() or int(folder.name) not in keep:
            shutil.rmtree(folder, ignore_errors=True)
            continue
        newest = last_name(root, int(folder.name))
        for path in folder.iterdir():
            if path.name != newest:
                shutil.rmtree(path, ignore_errors=True)


def _durable(folder: Path) -> list[tuple[int, int, Path]]:
    """Return (epoch, attempt, path) of a trial's complete checkpoints."""
    found = []
    try:
        paths = list(folder.iterdir())
    except FileNotFoundError:  # never made, or removed a moment ago
        return []
    for path in paths:
        if (match := _NAME.fullmatch(path.name)) is not None:
            found.append((int(match[2]), int(match[1]), path))
    return found
