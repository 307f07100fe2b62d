"""Where the durable checkpoints of a search lie: in folders on storage that all nodes share, or on object storage.

    checkpoints/<number>/a<attempt>-e<epoch>/       on a file system: a copy of what lay in the work folder
    checkpoints/<number>/a<attempt>-e<epoch>.tar    on object storage: a tar file of it

A checkpoint is complete under its name or it is not there: a copy is renamed, an object is put whole. It holds
checksums of its files, so that what was damaged later is found when it is read.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tuner.facts.errors import ResultsDamagedError, relative_to_cwd
from tuner.journal.storage import make_durable
from tuner.storage.copies import origin, remove
from tuner.storage.objects import Objects
from tuner.study.archive import pack, unpack
from tuner.study.sums import SUMS_FILE, check_sums, sums_of

_NAME = re.compile(r"a(\d+)-e(\d+)")
_ARCHIVE = ".tar"


@dataclass(frozen=True, order=True)
class Checkpoint:
    """What a trial can go on from. The greater one is newer: of a later epoch, or made by a later attempt."""

    epoch: int
    attempt: int

    @property
    def name(self) -> str:
        """Its name, before any ending."""
        return f"a{self.attempt}-e{self.epoch}"

    @staticmethod
    def named(name: str) -> Checkpoint | None:
        """Return the checkpoint of a name; None where it is none's."""
        match = _NAME.fullmatch(name)
        return None if match is None else Checkpoint(epoch=int(match[2]), attempt=int(match[1]))


class CheckpointStore(Protocol):
    """The durable checkpoints of a search's trials."""

    def of(self, number: int) -> list[Checkpoint]:
        """Return a trial's complete checkpoints, the newest last."""

    def file_name(self, checkpoint: Checkpoint) -> str:
        """Return the name under which one lies, below its trial's number."""

    def write(self, number: int, checkpoint: Checkpoint, work: Path) -> None:
        """Keep what lies in a trial's work folder; it is durable on return.

        Raises:
            OSError: The storage refuses, or a file cannot be read; nothing is there under its name.
            StorageError: Object storage refuses.
            ValueError: What lies in the folder cannot be kept.
        """

    def read(self, number: int, checkpoint: Checkpoint, work: Path) -> None:
        """Make a trial's work folder, which is not there, from one of its checkpoints; raises as ``write`` does.

        Raises:
            ResultsDamagedError: The checkpoint is not what was written; the work folder may hold a part of it.
        """

    def remove(self, number: int, checkpoint: Checkpoint) -> None:
        """Remove one checkpoint of a trial."""

    def remove_trial(self, number: int) -> None:
        """Remove all that lies there of a trial."""

    def keep_only(self, newest: Mapping[int, int]) -> None:
        """Called when nothing runs: remove everything but the newest checkpoint of some trials.

        Args:
            newest: Number of each of these trials to the newest epoch that the log holds: what is ahead of it is no
                use to anyone.
        """


def store_of(root: Path) -> CheckpointStore:
    """Return what holds the checkpoints that are known as a folder ``checkpoints``, or as the working copy of one."""
    place = origin(root)
    return FolderStore(root) if place is None else ObjectStore(root, *place)


class FolderStore:
    """Checkpoints as folders on a file system that all nodes share."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def of(self, number: int) -> list[Checkpoint]:
        """Return a trial's complete checkpoints, the newest last."""
        try:
            names = [path.name for path in self._trial(number).iterdir()]
        except FileNotFoundError:  # never made, or removed a moment ago
            return []
        return sorted(found for name in names if (found := Checkpoint.named(name)) is not None)

    def file_name(self, checkpoint: Checkpoint) -> str:
        """Return the name under which one lies."""
        return checkpoint.name

    def write(self, number: int, checkpoint: Checkpoint, work: Path) -> None:
        """Copy a work folder beside the others, make the copy durable, then give it its name."""
        folder = self._trial(number)
        unfinished = folder / f".{checkpoint.name}.tmp"
        try:
            shutil.rmtree(unfinished, ignore_errors=True)
            shutil.copytree(work, unfinished, symlinks=True)
            (unfinished / SUMS_FILE).write_bytes(sums_of(unfinished))
            for path in unfinished.rglob("*"):
                if not path.is_symlink():
                    make_durable(path)
            make_durable(unfinished)
            unfinished.rename(folder / checkpoint.name)
            make_durable(folder)
        except OSError:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise

    def read(self, number: int, checkpoint: Checkpoint, work: Path) -> None:
        """Copy a checkpoint and check the copy."""
        place = self._trial(number) / checkpoint.name
        with _damage_named(place):
            if not place.is_dir():
                raise ValueError("it is gone")
            shutil.copytree(place, work, symlinks=True)
            check_sums(work)

    def remove(self, number: int, checkpoint: Checkpoint) -> None:
        """Remove one checkpoint of a trial."""
        shutil.rmtree(self._trial(number) / checkpoint.name, ignore_errors=True)

    def remove_trial(self, number: int) -> None:
        """Remove a trial's folder."""
        shutil.rmtree(self._trial(number), ignore_errors=True)

    def keep_only(self, newest: Mapping[int, int]) -> None:
        """Remove everything but the newest checkpoint of some trials, work folders and unfinished copies too."""
        for folder in self._root.iterdir() if self._root.is_dir() else ():
            if not folder.name.isdigit() or (number := int(folder.name)) not in newest:
                shutil.rmtree(folder, ignore_errors=True)
                continue
            kept = newest_of(self.of(number), newest[number])
            for path in folder.iterdir():
                if kept is None or path.name != kept.name:
                    shutil.rmtree(path, ignore_errors=True)

    def _trial(self, number: int) -> Path:
        return self._root / str(number)


class ObjectStore:
    """Checkpoints as tar files on object storage; the working copy holds work folders and what passes through."""

    def __init__(self, root: Path, objects: Objects, prefix: str) -> None:
        """Args: root: in the working copy; prefix: the name below ``objects`` that it stands for."""
        self._root = root
        self._objects = objects.below(prefix)

    def of(self, number: int) -> list[Checkpoint]:
        """Return a trial's complete checkpoints, the newest last."""
        return sorted(checkpoint for _, checkpoint in self._all(f"{number}/"))

    def file_name(self, checkpoint: Checkpoint) -> str:
        """Return the name under which one lies."""
        return checkpoint.name + _ARCHIVE

    def write(self, number: int, checkpoint: Checkpoint, work: Path) -> None:
        """Pack a work folder and upload it."""
        archive = work.with_name(f".{checkpoint.name}{_ARCHIVE}")
        try:
            pack(work, archive, first={SUMS_FILE: sums_of(work)})
            self._objects.upload(self._name(number, checkpoint), archive)
        finally:
            archive.unlink(missing_ok=True)

    def read(self, number: int, checkpoint: Checkpoint, work: Path) -> None:
        """Download a checkpoint, unpack it and check what came out."""
        archive = work.with_name(f".{checkpoint.name}{_ARCHIVE}")
        name = self._name(number, checkpoint)
        try:
            with _damage_named(self._root / name):
                if not self._objects.download(name, archive):
                    raise ValueError("it is gone")
                work.mkdir()
                unpack(archive, work)
                check_sums(work)
        finally:
            archive.unlink(missing_ok=True)

    def remove(self, number: int, checkpoint: Checkpoint) -> None:
        """Delete one checkpoint of a trial."""
        self._objects.delete([self._name(number, checkpoint)])

    def remove_trial(self, number: int) -> None:
        """Delete the checkpoints of a trial, and its work folder if that is here."""
        remove(self._root / str(number))

    def keep_only(self, newest: Mapping[int, int]) -> None:
        """Delete every checkpoint but the newest of some trials, in one walk over all of them."""
        found: dict[int, list[Checkpoint]] = {}
        for number, checkpoint in self._all(""):
            found.setdefault(number, []).append(checkpoint)
        kept = {number: newest_of(checkpoints, newest.get(number, 0)) for number, checkpoints in found.items()}
        self._objects.delete(
            self._name(number, checkpoint)
            for number, checkpoints in found.items()
            for checkpoint in checkpoints
            if checkpoint != kept[number]
        )

    def _all(self, prefix: str) -> list[tuple[int, Checkpoint]]:
        """Return number and checkpoint of what lies below a prefix."""
        found = []
        for stored in self._objects.list(prefix):
            number, _, name = stored.name.partition("/")
            checkpoint = Checkpoint.named(name.removesuffix(_ARCHIVE))
            if number.isdigit() and name.endswith(_ARCHIVE) and checkpoint is not None:
                found.append((int(number), checkpoint))
        return found

    def _name(self, number: int, checkpoint: Checkpoint) -> str:
        return f"{number}/{self.file_name(checkpoint)}"


@contextlib.contextmanager
def _damage_named(place: Path) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        name = relative_to_cwd(place)
        raise ResultsDamagedError(f"the checkpoint {name} is not what was written: {error}") from error


def newest_of(checkpoints: list[Checkpoint], epoch: int) -> Checkpoint | None:
    """Return the newest of some checkpoints that is not ahead of an epoch, or None."""
    return max((checkpoint for checkpoint in checkpoints if checkpoint.epoch <= epoch), default=None)
