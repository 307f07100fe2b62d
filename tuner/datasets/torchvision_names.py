"""Data sets that torchvision knows by name: downloaded once, checked against torchvision's checksums."""

from __future__ import annotations

import contextlib
import errno
import sys
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np

from tuner.datasets.contents import Contents, Images, Split
from tuner.facts.errors import StorageError, UsageError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


@dataclass(frozen=True)
class Layout:
    """How torchvision keeps one data set.

    Attributes:
        class_name: Its class in ``torchvision.datasets``.
        files: The files that it reads, as a pattern under the root.
        by_hand: What a person without network puts there, and where it comes from.
        splits: The arguments that select training and test images.
        images: From the class's ``data`` to [N, C, H, W].
        labels: The attribute with the labels.
    """

    class_name: str
    files: str
    by_hand: str
    splits: tuple[dict[str, Any], dict[str, Any]]
    images: Callable[[Any], Images]
    labels: str = "targets"


_BY_FLAG = ({"train": True}, {"train": False})
_BY_WORD = ({"split": "train"}, {"split": "test"})

LAYOUTS: dict[str, Layout] = {
    "cifar10": Layout(
        "CIFAR10",
        "cifar-10-batches-py/*",
        "cifar-10-python.tar.gz from https://www.cs.toronto.edu/~kriz/",
        _BY_FLAG,
        lambda data: data.transpose(0, 3, 1, 2),
    ),
    "cifar100": Layout(
        "CIFAR100",
        "cifar-100-python/*",
        "cifar-100-python.tar.gz from https://www.cs.toronto.edu/~kriz/",
        _BY_FLAG,
        lambda data: data.transpose(0, 3, 1, 2),
    ),
    "mnist": Layout(
        "MNIST",
        "MNIST/raw/*-ubyte",
        "MNIST/raw/*-ubyte.gz from https://ossci-datasets.s3.amazonaws.com/mnist/",
        _BY_FLAG,
        lambda data: data.numpy()[:, np.newaxis],
    ),
    "fashion_mnist": Layout(
        "FashionMNIST",
        "FashionMNIST/raw/*-ubyte",
        "FashionMNIST/raw/*-ubyte.gz from http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        _BY_FLAG,
        lambda data: data.numpy()[:, np.newaxis],
    ),
    "svhn": Layout(
        "SVHN",
        "*_32x32.mat",
        "train_32x32.mat and test_32x32.mat from http://ufldl.stanford.edu/housenumbers/",
        _BY_WORD,
        lambda data: data,
        labels="labels",
    ),
}


@dataclass(frozen=True)
class TorchvisionName:
    """One of ``LAYOUTS`` in the folder ``root``."""

    name: str
    root: Path

    def files(self) -> list[Path]:
        """Return torchvision's unpacked files, as far as they are there."""
        return sorted(self.root.glob(LAYOUTS[self.name].files))

    def fetch(self) -> None:
        """Download what is missing or fails its checksum.

        Raises:
            UsageError: No network or a wrong checksum.
            StorageError: The folder cannot be written.
        """
        for split in range(2):
            self._load(split)

    def read(self) -> Contents:
        """Return both splits, from memory."""
        layout = LAYOUTS[self.name]
        train, test = self._load(0), self._load(1)
        labels = [np.asarray(getattr(split, layout.labels), dtype=np.int64) for split in (train, test)]
        classes = getattr(train, "classes", None) or map(str, range(int(labels[0].max()) + 1))
        return Contents(
            tuple(classes),
            Split.of(layout.images(train.data), labels[0]),
            Split.of(layout.images(test.data), labels[1]),
        )

    def _load(self, split: int) -> Any:
        import torchvision  # noqa: PLC0415 - brings torch, which a driver does not need once the data is decoded

        layout = LAYOUTS[self.name]
        dataset = getattr(torchvision.datasets, layout.class_name)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with contextlib.redirect_stdout(sys.stderr):  # stdout carries a command's result alone
                return dataset(self.root, download=True, **layout.splits[split])
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise StorageError(f"{self.root} cannot hold {self.name}: {error.strerror}") from error
            raise self._unavailable(error) from error
        except (RuntimeError, HTTPException) as error:  # RuntimeError is torchvision's word for a wrong checksum
            raise self._unavailable(error) from error
        except Exception as error:  # on files that are none of its own, whatever the first wrong byte leads to
            raise UsageError(
                f"what lies in {self.root} is not {self.name}; remove it there, or name another"
            ) from error

    def _unavailable(self, error: Exception) -> UsageError:
        reason = " ".join(str(error).split())
        return UsageError(
            f"{self.name} is not in {self.root} and could not be downloaded ({reason}); "
            f"put {LAYOUTS[self.name].by_hand} there by hand"
        )
