"""What a reader hands over: class names, labels, and images in batches, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]  # [N, C, H, W]
Labels = NDArray[np.int64]  # [N], each from 0 to the number of classes less one


@dataclass(frozen=True)
class Split:
    """The training or the test images of a data set.

    Attributes:
        labels: One label for each image.
        batches: Gives the images in the order of the labels, as arrays [n, C, H, W] of any n.
    """

    labels: Labels
    batches: Callable[[], Iterator[Images]]

    @classmethod
    def of(cls, images: Images, labels: Labels) -> Split:
        """Return a split whose images are in memory already."""
        return cls(labels, lambda: iter((images,)))


@dataclass(frozen=True)
class Contents:
    """A data set: its class names in the order of the labels, and its splits; ``test`` is None if it has none."""

    classes: tuple[str, ...]
    train: Split
    test: Split | None


class Source(Protocol):
    """Where a data set comes from, one class a kind.

    Every error that the source's files cause is raised as a ``UsageError``, also while batches are read.
    """

    def files(self) -> list[Path]:
        """Return the files that it is read from, sorted; empty where it has none or none is downloaded yet."""

    def fetch(self) -> None:
        """Download what is missing."""

    def read(self) -> Contents:
        """Return the contents; images are decoded only as their batches are drawn."""
