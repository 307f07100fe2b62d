"""One decoded data set on disk: its arrays and ``meta.json`` in a folder, written, fingerprinted and read back."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from tuner.datasets.contents import Contents, Split
from tuner.datasets.prepared import PreparedData, load_split
from tuner.facts.errors import UsageError

#: Version of the arrays' layout and of the rule that makes them from files.
VERSION = 1

#: All files that an entry may have; those of the test split are there only if there is one.
FILES = ("meta.json", *(f"{split}_{part}.npy" for split in ("train", "test") for part in ("images", "labels")))


def write_entry(folder: Path, contents: Contents) -> str:
    """Decode a data set into an empty folder and return its fingerprint.

    Raises:
        UsageError: An image that cannot be decoded, or training and test images of different sizes.
        OSError: The folder cannot be written.
    """
    splits = {"train": contents.train} | ({"test": contents.test} if contents.test is not None else {})
    shapes = {name: _write_split(folder, name, split) for name, split in splits.items()}
    shape = shapes["train"]
    if shapes.get("test", shape) != shape:
        raise UsageError(f"training images are {_size(shape)} pixels and test images {_size(shapes['test'])}")
    described = {
        "classes": contents.classes,
        "shape": shape,
        "train_count": len(contents.train.labels),
        "test_count": 0 if contents.test is None else len(contents.test.labels),
    }
    fingerprint = _fingerprint(folder, described)
    with (folder / "meta.json").open("wb") as file:
        meta = {"version": VERSION, "fingerprint": fingerprint, **described}
        file.write(json.dumps(meta, indent=1).encode())
        flush(file)
    return fingerprint


def read_entry(folder: Path) -> PreparedData | None:
    """Return the data set that lies in a folder; None if it is missing, damaged or of another version."""
    try:
        meta = json.loads((folder / "meta.json").read_bytes())
        channels, height, width = meta["shape"]
        data = PreparedData(
            folder=folder,
            fingerprint=meta["fingerprint"],
            classes=tuple(meta["classes"]),
            shape=(channels, height, width),
            train_count=meta["train_count"],
            test_count=meta["test_count"],
        )
        whole = _is_whole(data, "train", data.train_count)
        if data.test_count:
            whole = whole and _is_whole(data, "test", data.test_count)
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None
    return data if whole and meta["version"] == VERSION and data.fingerprint == folder.name else None


def is_entry(folder: Path, fingerprint: str) -> bool:
    """Return whether the data set of a fingerprint lies in a folder, byte for byte; raises ``OSError``."""
    try:
        meta = json.loads((folder / "meta.json").read_bytes())
        described = {key: meta[key] for key in ("classes", "shape", "train_count", "test_count")}
        return _fingerprint(folder, described) == fingerprint
    except (FileNotFoundError, EOFError, ValueError, KeyError, TypeError):
        return False


def _fingerprint(folder: Path, described: Mapping[str, Any]) -> str:
    """Return the sha256 of a data set in hex: what it is described as, then every byte of its arrays."""
    fingerprint = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for name in ("train", "test") if described["test_count"] else ("train",):
        images, labels = load_split(folder, name)
        fingerprint.update(images.data)
        fingerprint.update(labels.data)
    return fingerprint.hexdigest()


def _is_whole(data: PreparedData, name: str, count: int) -> bool:
    images, labels = load_split(data.folder, name)  # raises ValueError where a file is shorter than its header says
    return (images.dtype, images.shape) == (np.dtype(np.uint8), (count, *data.shape)) and (
        (labels.dtype, labels.shape) == (np.dtype(np.int64), (count,))
    )


def _write_split(folder: Path, name: str, split: Split) -> tuple[int, ...]:
    """Write a split's two arrays and return the shape of its images.

    Images are appended, not mapped: on a full disk a write raises, where a mapped page would end the process.
    """
    with (folder / f"{name}_labels.npy").open("wb") as file:
        np.save(file, split.labels, allow_pickle=False)
        flush(file)
    shape: tuple[int, ...] = ()
    with (folder / f"{name}_images.npy").open("wb") as file:
        for batch in split.batches():
            if not shape:
                shape = batch.shape[1:]
                header = {"descr": "|u1", "fortran_order": False, "shape": (len(split.labels), *shape)}
                np.lib.format.write_array_header_1_0(file, header)
            file.write(np.ascontiguousarray(batch).data)
        flush(file)
    return shape


def flush(file: IO[bytes]) -> None:
    """Bring a file to the disk, so that a rename never outlives its content."""
    file.flush()
    os.fsync(file.fileno())


def _size(shape: tuple[int, ...]) -> str:
    _, height, width = shape
    return f"{width}x{height}"
