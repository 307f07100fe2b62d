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
        UsageError: There is no such folder, it is too large, a file in it cannot be read, a link leads out of it, or it
            has another file of the search file's name.
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
    try:
        for path in _chosen(source, results):
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    except OSError as error:
        place = relative_to_cwd(Path(error.filename or source).absolute())
        raise UsageError(f"{place} cannot be read: {error.strerror}") from error


def _chosen(source: Path, results: Path) -> list[Path]:
    """Return the files to take along; raises as ``packed`` does, before anything is copied."""
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
    return chosen


def _is_text(path: Path) -> bool:
    try:
        return bool(str(path).encode())
    except UnicodeEncodeError:
        return False


def _files(folder: Path, results: Path, around: tuple[Path, ...] = ()) -> Iterator[Path]:
    """Yield the files to take along, in a fixed order.

    Links are followed, but to a folder that they lie in: that would have no end.

    Args:
        folder: Where to look.
        results: A folder that stays here.
        around: The folders that this one lies in, without links; the first is the one that is taken along.

    Raises:
        UsageError: A link leads out of the folder that is taken along.
        OSError: Something cannot be read.
    """
    here = Path(os.path.realpath(folder))
    if here in around:
        return
    chain = (*around, here)
    for path in sorted(folder.iterdir()):
        if _is_left_out(path, results, at_top=not around):
            continue
        if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(chain[0]):
            raise UsageError(
                f"{relative_to_cwd(path.absolute())} is a link that leads out of {relative_to_cwd(chain[0])}, and"
                " a job takes nothing from there along; put the files themselves there, or remove the link"
            )
        if path.is_dir():
            yield from _files(path, results, chain)
        elif path.is_file():
            yield path


def _is_left_out(path: Path, results: Path, *, at_top: bool) -> bool:
    if path.name.startswith("."):
        return True
    if not path.is_dir():
        return path.name.endswith(".pyc")
    is_environment = (path / "pyvenv.cfg").exists()
    is_results = path.absolute() == results or (at_top and path.name in _LEFT_OUT_AT_TOP)
    return path.name in _LEFT_OUT or is_environment or is_results
