"""Working copies: local folders that stand for results on object storage while one process works with them.

Code works on paths everywhere. A path in a working copy has an origin, the objects that it stands for; what is written
is pushed there, what is read is fetched from there. A path in a true folder has none, and nothing is done for it.
"""

from __future__ import annotations

import atexit
import contextlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

from tuner.facts.addresses import WORKING_COPIES, in_working_copy, is_address
from tuner.facts.errors import ResultsDamagedError, StorageError, relative_to_cwd
from tuner.storage.objects import Objects
from tuner.storage.scratch import make_scratch, remove_scratch

#: What makes a folder a search; small, so that every search of a results folder may be asked for it.
_DESCRIPTION = "search.json"

_THREADS = 16

_attached: dict[str, Path] = {}


@contextlib.contextmanager
def results_folder(results: str, name: str | None = None) -> Iterator[Path]:
    """Yield a results folder as a path: a folder as it is, an address as a working copy that is removed at the end.

    The copy holds search.json of the searches there are; whatever else is read is fetched when it is.

    Args:
        results: A folder, or an address such as ``s3://bucket/prefix``.
        name: The one search that is wanted, where it is known; where there is none of that name, all are looked at.

    Raises:
        UsageError: The address is none.
        StorageError: The storage fails.
    """
    if not is_address(results):
        yield Path(results)
        return
    root, objects = _copy(results), Objects.at(results)
    try:
        if not any(_described(root, objects, child) for child in ("", *([name] if name else []))):
            _all(lambda child: _described(root, objects, child), objects.children())
        yield root
    finally:
        _drop(root)


def attach(place: str) -> Path:
    """Return a place as a path for the rest of this process: a folder as it is, an address as an empty working copy."""
    if not is_address(place):
        return Path(place)
    if place not in _attached:
        _attached[place] = root = _copy(place)
        atexit.register(_drop, root)
    return _attached[place]


def origin(path: Path) -> tuple[Objects, str] | None:
    """Return the objects that a path's working copy stands for, and its name there; None for a true path.

    The name of the copy itself is empty.
    """
    found = in_working_copy(path)
    return None if found is None else (Objects.at(found[0]), found[1])


def push(path: Path) -> None:
    """Put a file, or every file in a folder, where it stands for; nothing happens to a true path.

    Raises:
        StorageError: The storage fails.
    """
    if (found := origin(path)) is None:
        return
    objects, name = found
    if path.is_dir():
        files = [file for file in path.rglob("*") if file.is_file() and not file.is_symlink()]
        _all(lambda file: objects.upload(_joined(name, file.relative_to(path).as_posix()), file), files)
    else:
        objects.upload(name, path)


def fetch(path: Path) -> bool:
    """Bring a file, or everything below a folder, to its path; returns whether there is such a file or folder.

    A true path is looked at where it lies.

    Raises:
        StorageError: The storage fails, or the copy cannot be written.
        ResultsDamagedError: An object has a name that would leave the copy.
    """
    if (found := origin(path)) is None:
        return path.exists()
    objects, name = found
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if name and objects.download(name, path):
            return True
        below = objects.below(name)
        names = [stored.name for stored in below.list()]
        targets = [(item, path / _safe(item)) for item in names if not item.endswith("/")]
        for _, target in targets:
            target.parent.mkdir(parents=True, exist_ok=True)
        _all(lambda pair: below.download(*pair), targets)
    except OSError as error:
        raise StorageError(
            f"the working copy of {relative_to_cwd(path)} cannot be written: {error.strerror}"
        ) from error
    return bool(names)


def exists(path: Path) -> bool:
    """Return whether there is a file at a path, or where it stands for; nothing is brought here.

    Raises:
        StorageError: The storage fails.
    """
    if (found := origin(path)) is None:
        return path.exists()
    objects, name = found
    return objects.exists(name)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all in it, here and where it stands for; what is not there is none.

    Raises:
        StorageError: The storage fails.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    if (found := origin(path)) is not None:
        objects, name = found
        objects.delete([name, *(_joined(name, stored.name) for stored in objects.below(name).list())])


def _copy(address: str) -> Path:
    objects = Objects.at(address)
    try:
        root = make_scratch()
    except OSError as error:
        raise StorageError(f"no working copy of {address} can be made: {error.strerror}") from error
    WORKING_COPIES[root] = objects.address
    return root


def _described(root: Path, objects: Objects, child: str) -> bool:
    """Bring the description of a search below a working copy; returns whether there is such a search."""
    name = _joined(child, _DESCRIPTION)
    data = objects.get(name)
    if data is not None:
        path = root / _safe(name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    return data is not None


def _drop(root: Path) -> None:
    del WORKING_COPIES[root]
    remove_scratch(root)


def _safe(name: str) -> PurePosixPath:
    """Return an object's name as a path that stays below the folder it is joined to."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name or "\\" in name:
        raise ResultsDamagedError(f"an object is called {name!r}, which is no name of a result")
    return path


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _all(do: Callable[[Any], object], items: Iterable[Any]) -> None:
    """Do something for each item, many at a time; raises what the first that failed raised."""
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(do, items))
