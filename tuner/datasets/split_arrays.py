"""The training and validation images of a search, as arrays that all its trials on a machine map.

An index into the decoded images would copy them in every process; the split is written once beside them instead, in
``<cache>/datasets/<fingerprint>/splits/<settings>/``.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock

from tuner.datasets.contents import Images, Labels
from tuner.datasets.entry import flush, is_entry
from tuner.datasets.prepared import PreparedData, load_split
from tuner.datasets.split import Indices, Reserved, split
from tuner.facts.errors import StorageError

_CHUNK = 4096  # images copied at a time: bounds the memory of writing

#: Name of each array's file to the CRC-32 of its bytes.
_CHECKSUMS = "crc32.json"


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
    check: bool = False,
) -> SplitArrays:
    """Return a search's images; the first process of a machine that asks writes them, the others wait.

    Args:
        prepared: The decoded data set.
        validation: Images to hold out (see ``split``).
        split_seed: Seed of the draw.
        train_images: Images to train on, or None for all that are left.
        reserved: Images that belong to neither part, or None.
        check: Whether to look at every byte of what was written before. A driver does, once.

    Raises:
        UsageError: Counts that the data set cannot give.
        StorageError: The cache is full or cannot be written, or the decoded data set in it is not what was written.
    """
    folder = _folder(prepared, validation, split_seed, train_images, reserved)
    found = _read(folder, check=check)
    if found is not None:
        return found
    _refuse_damaged(prepared)
    images, labels = prepared.load_train()
    train, held_out = split(
        labels, validation=validation, split_seed=split_seed, train_images=train_images, reserved=reserved
    )
    try:
        folder.parent.mkdir(exist_ok=True)
        with FileLock(folder.parent / ".lock"):
            if _read(folder, check=check) is None:
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


def _refuse_damaged(prepared: PreparedData) -> None:
    """Refuse a decoded data set whose bytes changed, and remove what makes it one: it is decoded anew the next time."""
    if not is_entry(prepared.folder, prepared.fingerprint):
        (prepared.folder / "meta.json").unlink(missing_ok=True)
        raise StorageError(
            f"the decoded images in {prepared.folder} are not what was written there; "
            "the same command decodes them again"
        )


def _read(folder: Path, *, check: bool = False) -> SplitArrays | None:
    """Return the split that lies in a folder; None if it is missing, cut short or, with ``check``, changed."""
    try:
        if check and json.loads((folder / _CHECKSUMS).read_bytes()) != _checksums(folder):
            return None
        return SplitArrays(*load_split(folder, "train"), *load_split(folder, "validation"))
    except (OSError, EOFError, ValueError):
        return None


def _checksums(folder: Path) -> dict[str, int]:
    found = {}
    for path in folder.glob("*.npy"):
        found[path.name] = 0
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                found[path.name] = zlib.crc32(block, found[path.name])
    return found


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
        (beside / _CHECKSUMS).write_text(json.dumps(_checksums(beside)))
        shutil.rmtree(folder, ignore_errors=True)  # cut short or changed; processes that map its files keep them
        beside.replace(folder)
