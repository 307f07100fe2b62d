"""The training and validation images of a search, as arrays that all its trials on a machine map.

An index into the decoded images would copy them in every process; the split is written once beside them instead, in
``<cache>/datasets/<fingerprint>/splits/<settings>/``.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock

from tuner.datasets.contents import Images, Labels
from tuner.datasets.entry import flush
from tuner.datasets.prepared import PreparedData, load_split
from tuner.datasets.split import Indices, Reserved, split
from tuner.facts.errors import StorageError

_CHUNK = 4096  # images copied at a time: bounds the memory of writing


@dataclass(frozen=True)
class SplitArrays:
    """Images uint8 [N, C, H, W] and labels int64 [N] of both parts, mapped copy-on-write."""

    train_images: Images
    train_labels: Labels
    validation_images: Images
    validation_labels: Labels


def split_arrays(
    prepared: PreparedData,
    *,
    validation: int,
    split_seed: int,
    train_images: int | None,
    reserved: Reserved | None = None,
) -> SplitArrays:
    """Return a search's images; the first process of a machine that asks writes them, the others wait.

    Args:
        prepared: The decoded data set.
        validation: Images to hold out (see ``split``).
        split_seed: Seed of the draw.
        train_images: Images to train on, or None for all that are left.
        reserved: Images that belong to neither part, or None.

    Raises:
        UsageError: Counts that the data set cannot give.
        StorageError: The cache is full or cannot be written.
    """
    folder = _folder(prepared, validation, split_seed, train_images, reserved)
    found = _read(folder)
    if found is not None:
        return found
    images, labels = prepared.load_train()
    train, held_out = split(
        labels, validation=validation, split_seed=split_seed, train_images=train_images, reserved=reserved
    )
    try:
        folder.parent.mkdir(exist_ok=True)
        with FileLock(folder.parent / ".lock"):
            if _read(folder) is None:
                _write(folder, images, labels, {"train": train, "validation": held_out})
    except OSError as error:
        raise StorageError(f"the cache folder cannot be written ({error.strerror or error})") from error
    found = _read(folder)
    assert found is not None, "a split that was just written reads back"
    return found


def remove_split(
    prepared: PreparedData,
    *,
    validation: int,
    split_seed: int,
    train_images: int | None,
    reserved: Reserved | None = None,
) -> None:
    """Free the disk of a split that nothing needs any more; the next one who asks writes it again."""
    shutil.rmtree(_folder(prepared, validation, split_seed, train_images, reserved), ignore_errors=True)


def _folder(
    prepared: PreparedData, validation: int, split_seed: int, train_images: int | None, reserved: Reserved | None
) -> Path:
    settings = f"{validation} {split_seed} {train_images}"
    if reserved is not None:
        settings += f" {reserved.count} {reserved.seed}"
    return prepared.folder / "splits" / hashlib.sha256(settings.encode()).hexdigest()[:16]


def _read(folder: Path) -> SplitArrays | None:
    """Return the split that lies in a folder; None if it is missing or cut short."""
    try:
        return SplitArrays(*load_split(folder, "train"), *load_split(folder, "validation"))
    except (OSError, EOFError, ValueError):
        return None


def _write(folder: Path, images: Images, labels: Labels, parts: Mapping[str, Indices]) -> None:
    """Write a split beside its place and rename it; the caller holds the lock."""
    for leftover in folder.parent.glob(".new-*"):  # of a process that was killed while it wrote
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as temporary:
        beside = Path(temporary) / "split"
        beside.mkdir()
        for name, chosen in parts.items():
            with (beside / f"{name}_labels.npy").open("wb") as file:
                np.save(file, labels[chosen], allow_pickle=False)
                flush(file)
            with (beside / f"{name}_images.npy").open("wb") as file:
                header = {"descr": "|u1", "fortran_order": False, "shape": (len(chosen), *images.shape[1:])}
                np.lib.format.write_array_header_1_0(file, header)
                for start in range(0, len(chosen), _CHUNK):
                    file.write(images[chosen[start : start + _CHUNK]].data)
                flush(file)
        shutil.rmtree(folder, ignore_errors=True)  # cut short; processes that map its files keep them
        beside.replace(folder)
