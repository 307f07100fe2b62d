"""A data set that is decoded and lies in the cache."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tuner.datasets.contents import Images, Labels


@dataclass(frozen=True)
class PreparedData:
    """Where a decoded data set lies and what it is; small, and pickles.

    Attributes:
        folder: Its folder in this machine's cache.
        fingerprint: sha256 of arrays, labels and class names in hex: the same content has the same one everywhere.
        classes: Class names in the order of the labels.
        shape: (channels, height, width) of every image.
        train_count: Training images.
        test_count: Test images; 0 if the data set has none.
    """

    folder: Path
    fingerprint: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    train_count: int
    test_count: int

    def load_train(self) -> tuple[Images, Labels]:
        """Return the training split: images uint8 [N, C, H, W] and labels int64 [N].

        Both are mapped copy-on-write: processes share the pages, and what one writes stays its own.
        """
        return load_split(self.folder, "train")


def load_split(folder: Path, name: str) -> tuple[Images, Labels]:
    """Return a split's images and labels, mapped copy-on-write."""
    images = np.load(folder / f"{name}_images.npy", mmap_mode="c", allow_pickle=False)
    labels = np.load(folder / f"{name}_labels.npy", mmap_mode="c", allow_pickle=False)
    return images, labels
