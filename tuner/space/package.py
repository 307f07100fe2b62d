"""What a search takes along to a cluster: its file, and for a trainable of one's own the folder that it lies in."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tuner.facts.errors import UsageError, relative_to_cwd
from tuner.space.files import DESCRIPTORS
from tuner.space.searchfile import SearchFile

#: The job server takes no larger request.
MOST_BYTES = 100_000_000

_LEFT_OUT = frozenset({"__pycache__", "node_modules"})
#: Results and caches of others, which lie where people work.
_LEFT_OUT_AT_TOP = frozenset({"results"})


@dataclass(frozen=True)
class Package:
    """A folder that is ready to be sent.

    Attributes:
        folder: The folder; the job runs in a copy of it.
        file: The search file in it, relative to it.
    """

    folder: Path
    file: Path

    def holds(self, path: str) -> bool:
        """Return whether a path that the search file names, relative to itself, is in the folder."""
        target = (self.folder / self.file.parent / path).resolve()
        return target.is_relative_to(self.folder.resolve()) and target.exists()


@contextlib.contextmanager
def packed(file: SearchFile, working_dir: Path | None = None) -> Iterator[Package]:
    """Yield a temporary folder with what a job of a search needs.

    Args:
        file: The search.
        working_dir: The folder to take along. None takes the search file alone, and for a trainable of one's own whose
            module lies beside it, or in the current folder, that folder. Hidden files, caches and results stay here.

    Raises:
        UsageError: There is no such folder, it is too large, a file in it cannot be read, or it has another file of the
            search file's name.
    """
    source = code_folder(file) if working_dir is None else working_dir
    with tempfile.TemporaryDirectory(prefix="tuner-job-") as temporary:
        target = Path(temporary)
        if source is not None:
            _copy(source, target, Path(file.results))
        place = _place(file, source)
        if (target / place).exists() and not _lies_in(file, source):
            raise UsageError(
                f"{file.path}: error: lies outside {source}, which the job takes along, and another {place} is in there"
            )
        (target / place).parent.mkdir(parents=True, exist_ok=True)
        (target / place).write_text(file.text, encoding="utf-8")
        yield Package(target, place)


def code_folder(file: SearchFile) -> Path | None:
    """Return the folder where the module of one's own trainable lies; None where it is built in, or installed."""
    if ":" not in file.trainable:
        return None
    module = file.trainable.partition(":")[0].partition(".")[0]
    for folder in (file.path.absolute().parent, Path.cwd()):
        if (folder / f"{module}.py").is_file() or (folder / module).is_dir():
            return folder
    return None


def _place(file: SearchFile, source: Path | None) -> Path:
    if file.path.absolute().parent in DESCRIPTORS:  # a pipe has no name
        return Path(f"{file.name}.yaml")
    if source is not None and _lies_in(file, source):
        return file.path.parent.resolve().relative_to(source.resolve()) / file.path.name
    return Path(file.path.name)


def _lies_in(file: SearchFile, source: Path | None) -> bool:
    return source is not None and file.path.parent.resolve().is_relative_to(source.resolve())


def _copy(source: Path, target: Path, results: Path) -> None:
    if not source.is_dir():
        raise UsageError(f"{source} is no folder that a job could take along")
    total, largest = 0, (0, Path())
    chosen = []
    for path in _files(source, results):
        if not _is_text(path):
            raise UsageError(
                f"the name of {str(path)!r} is no UTF-8 text, and a job takes no such file along; rename it"
            )
        size = path.stat().st_size
        total, largest = total + size, max(largest, (size, path))
        if total > MOST_BYTES:
            raise UsageError(
                f"{relative_to_cwd(source.absolute())} holds more than the {MOST_BYTES / 1e6:.0f} MB that a job takes"
                f" along (the largest file so far is {relative_to_cwd(largest[1].absolute())} with"
                f" {largest[0] / 1e6:,.0f} MB);"
                " name a smaller folder: --working-dir DIR"
            )
        chosen.append(path)
    for path in chosen:
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(path, copy)
        except OSError as error:
            raise UsageError(f"{relative_to_cwd(path.absolute())} cannot be read: {error.strerror}") from error


def _is_text(path: Path) -> bool:
    try:
        return bool(str(path).encode())
    except UnicodeEncodeError:
        return False


def _files(source: Path, results: Path) -> Iterator[Path]:
    """Yield the files to take along, in a fixed order."""
    for root, folders, names in os.walk(source):
        here = Path(root)
        at_top = here == source
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name not in _LEFT_OUT
            and not (at_top and name in _LEFT_OUT_AT_TOP)
            and not (here / name / "pyvenv.cfg").exists()  # a virtual environment
            and (here / name).absolute() != results
        )
        for name in sorted(names):
            if not name.startswith(".") and not name.endswith(".pyc") and (here / name).is_file():
                yield here / name
