"""Images in class folders: ``root/train/<class>/*.png`` with an optional ``root/test``, or ``root/<class>/*.png``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tuner.datasets.contents import Contents, Split
from tuner.datasets.images import Encoded, channels_of, decoded
from tuner.facts.errors import UsageError

SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"))


@dataclass(frozen=True)
class Folder:
    """Class folders under ``root``; classes are the folders' names, sorted.

    Attributes:
        root: Where they lie.
        to_evaluate: Whether nothing is trained on them: ``test`` may then hold further classes, or stand alone.
    """

    root: Path
    to_evaluate: bool = False

    def files(self) -> list[Path]:
        """Return every image of both splits."""
        return [file for split in self._splits() for file in _images_below(split)]

    def fetch(self) -> None:
        """Do nothing: nothing is downloaded."""

    def read(self) -> Contents:
        """Return the images with their folders' names as classes.

        Raises:
            UsageError: No class folder, or no image; to be trained on, also a class folder without images, or a test
                class that training lacks.
        """
        train, test = self._splits()
        folders = {folder.name for folder in _class_folders(train)}
        if not folders:
            raise UsageError(f"{train} holds no class folders; images belong into {train}/<class>/")
        files, test_files = _images_below(train), _images_below(test)
        idle = sorted(folders - {file.parent.name for file in files})
        if idle and not (files and self.to_evaluate):
            raise UsageError(f"class folder {train / idle[0]} holds no image ({', '.join(sorted(SUFFIXES))})")
        unknown = sorted({file.parent.name for file in test_files} - folders)
        if unknown and not self.to_evaluate:
            raise UsageError(f"test class '{unknown[0]}' has no folder among the training classes in {train}")
        classes = tuple(sorted({file.parent.name for file in files + test_files}))
        channels = channels_of(_encoded(files + test_files))
        return Contents(
            classes,
            _split(files, classes, channels),
            _split(test_files, classes, channels) if test_files else None,
        )

    def _splits(self) -> tuple[Path, Path]:
        """Return where the training images lie, or the only ones, and where test images lie if that folder exists."""
        train, test = self.root / "train", self.root / "test"
        if train.is_dir():
            return train, test
        if not test.is_dir():
            return self.root, test
        if self.to_evaluate:
            return test, train
        raise UsageError(f"{self.root} has a test folder and no train folder beside it")


def _class_folders(split: Path) -> list[Path]:
    if not split.is_dir():
        return []
    return [folder for folder in split.iterdir() if folder.is_dir() and not folder.name.startswith(".")]


def _images_below(split: Path) -> list[Path]:
    return sorted(
        file
        for folder in _class_folders(split)
        for file in folder.iterdir()
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
    )


def _split(files: list[Path], classes: tuple[str, ...], channels: int) -> Split:
    label = {name: index for index, name in enumerate(classes)}
    labels = np.array([label[file.parent.name] for file in files], dtype=np.int64)
    return Split(labels, lambda: decoded(_encoded(files), channels))


def _encoded(files: list[Path]) -> list[Encoded]:
    return [Encoded(str(file), file) for file in files]
