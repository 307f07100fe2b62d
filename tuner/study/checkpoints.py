"""The checkpoints of one attempt at a trial: a work folder that its trainable writes into, and what is kept of it.

    checkpoints/<number>/work-a<attempt>/    what the trainable sees as ``checkpoint``

The two newest are kept while a trial lives: the last may be ahead of the log when a driver dies.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from tuner.facts.errors import ResultsDamagedError, StorageError
from tuner.study.checkpoint_stores import Checkpoint, store_of

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
        """Args: root: the search's checkpoint folder, on storage that all nodes share, or a working copy of it."""
        self._store = store_of(root)
        self._number = number
        self._attempt = attempt
        self._kept: list[Checkpoint] = []
        self.work = root / str(number) / f"work-a{attempt}"

    def prepare(self, after_epoch: int) -> int:
        """Make the work folder: what the newest whole checkpoint up to ``after_epoch`` holds, or empty.

        Checkpoints that are damaged are told of on stderr, which is the trial's log, and removed.

        Returns:
            The epoch of that checkpoint, 0 if there is none.

        Raises:
            StorageError: It could not be written.
        """
        with _refusals():
            shutil.rmtree(self.work, ignore_errors=True)
            self.work.parent.mkdir(parents=True, exist_ok=True)
            found = self._store.of(self._number)
            self._kept = [checkpoint for checkpoint in found if checkpoint.epoch <= after_epoch]
            for checkpoint in found[len(self._kept) :]:  # ahead of the log: lost with a driver, and trained again
                self._store.remove(self._number, checkpoint)
            return self._made_of_newest()

    def _made_of_newest(self) -> int:
        damages: list[str] = []
        while self._kept:
            newest = self._kept[-1]
            try:
                self._store.read(self._number, newest, self.work)
                break
            except ResultsDamagedError as error:
                damages.append(str(error))
                shutil.rmtree(self.work, ignore_errors=True)
                self._store.remove(self._number, self._kept.pop())
        else:
            self.work.mkdir()
        epoch = self._kept[-1].epoch if self._kept else 0
        if damages:
            goes_on = f"goes on after epoch {epoch}" if epoch else "begins again"
            sys.stderr.write(f"{'; '.join(damages)}; the trial {goes_on}\n")
        return epoch

    def keep(self, epoch: int) -> str | None:
        """Keep what lies in the work folder; returns the name under which it lies, None if the folder is empty.

        Raises:
            StorageError: It could not be written; older checkpoints are as they were.
            ValueError: What lies in the folder cannot be kept.
        """
        if not self.work.is_dir() or not any(self.work.iterdir()):
            return None
        checkpoint = Checkpoint(epoch, self._attempt)
        with _refusals():
            self._store.write(self._number, checkpoint, self.work)
        self._kept.append(checkpoint)
        while len(self._kept) > _KEPT_WHILE_RUNNING:
            self._store.remove(self._number, self._kept.pop(0))
        return self._store.file_name(checkpoint)

    def clear_work(self) -> None:
        """Remove the work folder, and the trial's folder if nothing is left in it."""
        shutil.rmtree(self.work, ignore_errors=True)
        with contextlib.suppress(OSError):  # not empty, or the driver was faster
            self.work.parent.rmdir()


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Tell a storage that refuses from contents that nobody can keep.

    shutil collects the errors of single files as texts, which hold the numbers.
    """
    try:
        yield
    except OSError as error:
        numbers = [error.errno] if error.errno is not None else map(int, re.findall(r"\[Errno (\d+)\]", str(error)))
        for number in numbers:
            if number in _STORAGE_ERRORS:
                raise StorageError(f"a checkpoint cannot be written: {os.strerror(number)}") from error
        raise ValueError("what the trainable left in its checkpoint folder cannot be copied") from error
    except ValueError as error:
        raise ValueError(f"what the trainable left in its checkpoint folder cannot be kept: {error}") from error
