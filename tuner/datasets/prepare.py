"""From a data set's name to its decoded arrays in the cache."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from types import MappingProxyType

import numpy as np

from tuner.datasets.builtin import Digits, Synthetic
from tuner.datasets.cache import Cache, cache_folder
from tuner.datasets.contents import Contents, Labels, Source
from tuner.datasets.entry import VERSION
from tuner.datasets.folder import Folder
from tuner.datasets.parquet import Parquet
from tuner.datasets.prepared import PreparedData
from tuner.datasets.torchvision_names import LAYOUTS, TorchvisionName
from tuner.facts.errors import UsageError

#: Data sets that lie in files of their own; ``data.root`` names the folder, or is null for those that are downloaded.
IN_FILES: Mapping[str, Callable[[Path], Source]] = MappingProxyType(
    {name: partial(TorchvisionName, name) for name in LAYOUTS} | {"parquet": Parquet, "folder": Folder}
)

#: Data sets that need no files.
BUILT_IN: Mapping[str, Callable[[], Source]] = MappingProxyType({"digits": Digits, "synthetic": Synthetic})

#: Every name that ``data.dataset`` takes.
NAMES: tuple[str, ...] = (*IN_FILES, *BUILT_IN)


def prepare(
    dataset: str, root: Path | None = None, *, cache: Path | None = None, to_evaluate: bool = False
) -> PreparedData:
    """Find or download a data set and decode it into this machine's cache, unless that has been done.

    The driver calls it before anything starts. Processes that call it at the same time decode once.

    Args:
        dataset: One of ``NAMES``.
        root: Where its files lie; None for a built-in data set, or to keep a download in the cache.
        cache: The cache folder; None takes ``cache_folder()``.
        to_evaluate: Whether models are only measured on it: files of one's own may then hold a single class, or class
            folders in ``test`` that ``train`` lacks, or ``test`` alone.

    Raises:
        UsageError: An unknown name, files that are missing or damaged, or images that make no data set.
        StorageError: The cache is full or cannot be written.
    """
    store = Cache(cache or cache_folder())
    source = _source(dataset, root, store)
    kind = dataset
    if to_evaluate and isinstance(source, Folder | Parquet):
        kind = f"{dataset} to evaluate"  # what is found under this name need not be fit to be trained on
        source = replace(source, to_evaluate=True) if isinstance(source, Folder) else source
    if (found := store.find(_identity(kind, source))) is not None:
        return found
    with store.locked():
        if (found := store.find(_identity(kind, source))) is not None:
            return found
        source.fetch()
        identity = _identity(kind, source)
        if (found := store.find(identity)) is not None:
            return found
        contents = source.read()
        name = dataset if root is None else str(root)
        if kind == dataset:
            _check_trainable(name, contents)
        _check_labels(name, contents)
        return store.add(identity, contents)


def _source(dataset: str, root: Path | None, store: Cache) -> Source:
    if dataset in BUILT_IN:
        if root is not None:
            raise UsageError(f"data.root has no meaning for {dataset}, which needs no files; leave it out")
        return BUILT_IN[dataset]()
    if dataset not in IN_FILES:
        near = get_close_matches(dataset, NAMES, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"choose one of {', '.join(NAMES)}"
        raise UsageError(f"unknown data set '{dataset}'; {hint}")
    if root is None:
        if dataset not in LAYOUTS:
            raise UsageError(f"data.root must name the folder that holds the {dataset} data set")
        return IN_FILES[dataset](store.folder / "downloads" / dataset)
    if not root.is_dir():
        raise UsageError(f"data.root {root} is {'no folder' if root.exists() else 'missing'}")
    return IN_FILES[dataset](root.absolute())


def _identity(kind: str, source: Source) -> str:
    """Return a hash of what tells, without reading the files, whether a source is what it was."""
    digest = hashlib.sha256(f"{VERSION} {kind}".encode())
    try:
        for file in source.files():
            status = file.stat()
            digest.update(f"\0{file} {status.st_size} {status.st_mtime_ns}".encode(errors="surrogateescape"))
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}") from error
    return digest.hexdigest()


def _check_trainable(name: str, contents: Contents) -> None:
    present = len(np.unique(contents.train.labels))
    if present < 2:
        raise UsageError(f"{name} has training images of {present} classes; a classifier needs at least two")


def _check_labels(name: str, contents: Contents) -> None:
    train = contents.train.labels
    for split, labels in (("training", train), ("test", contents.test.labels if contents.test else train)):
        _check_range(name, split, labels, len(contents.classes))


def _check_range(name: str, split: str, labels: Labels, classes: int) -> None:
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if outside.size:
        raise UsageError(
            f"{name}: {split} image {outside[0]} has label {labels[outside[0]]}; "
            f"labels of {classes} classes run from 0 to {classes - 1}"
        )
