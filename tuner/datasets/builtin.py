"""Data sets that need no download: scikit-learn's digits, and one made from a fixed seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tuner.datasets.contents import Contents, Images, Labels, Split
from tuner.datasets.split import split

_CLASSES = 10


class Digits:
    """scikit-learn's 1,797 handwritten digits, 1x8x8, values 0..16 spread over 0..255; a fifth is the test split."""

    def files(self) -> list[Path]:
        """Return none: scikit-learn carries them."""
        return []

    def fetch(self) -> None:
        """Do nothing: nothing is downloaded."""

    def read(self) -> Contents:
        """Return the digits; the split is stratified and always the same."""
        from sklearn.datasets import load_digits  # noqa: PLC0415 - a second of import, once per machine

        digits = load_digits()
        images = np.rint(digits.images * (255 / 16)).astype(np.uint8)[:, np.newaxis]
        labels = digits.target.astype(np.int64)
        train, test = split(labels, validation=len(labels) // 5, split_seed=0)
        return Contents(
            tuple(map(str, range(_CLASSES))),
            Split.of(images[train], labels[train]),
            Split.of(images[test], labels[test]),
        )


class Synthetic:
    """Coloured gratings under noise, 3x32x32, 10 classes, 2,000 training and 500 test images.

    A class is one of five orientations in one of two colours. Phase, wavelength, contrast and place differ from image
    to image, so a network must learn the pattern and cannot read the class off single pixels.
    """

    def files(self) -> list[Path]:
        """Return none: the images are computed."""
        return []

    def fetch(self) -> None:
        """Do nothing: nothing is downloaded."""

    def read(self) -> Contents:
        """Return the images; training and test images come from streams of their own."""
        train, test = np.random.SeedSequence(20_240_229).spawn(2)
        names = tuple(f"{angle}-{colour}" for angle in (0, 36, 72, 108, 144) for colour in ("warm", "cold"))
        return Contents(
            names,
            _gratings(np.random.default_rng(train), 2_000),
            _gratings(np.random.default_rng(test), 500),
        )


def _gratings(generator: np.random.Generator, count: int) -> Split:
    labels: Labels = generator.permutation(np.arange(count, dtype=np.int64) % _CLASSES)

    def drawn(low: float, high: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return generator.uniform(low, high, size=(count, 1, 1))

    angle = np.deg2rad(36 * (labels // 2))[:, None, None] + drawn(-0.15, 0.15)
    row, column = np.mgrid[0:32, 0:32].astype(np.float64)[:, None]
    along = (column * np.cos(angle) + row * np.sin(angle)) / drawn(5, 9)  # in wavelengths of 5 to 9 pixels
    wave = np.sin(2 * np.pi * (along + drawn(0, 1))) * drawn(0.15, 0.35)
    distance = (row - drawn(8, 24)) ** 2 + (column - drawn(8, 24)) ** 2
    wave = wave * np.exp(-distance / (2 * 9.0**2))  # the pattern fades 9 pixels from its centre
    colours = np.array([(1.0, 0.7, 0.4), (0.4, 0.7, 1.0)])[labels % 2]
    images = 0.5 + wave[:, None] * colours[:, :, None, None] + generator.normal(0, 0.12, size=(count, 3, 32, 32))
    as_bytes: Images = np.rint(images.clip(0, 1) * 255).astype(np.uint8)
    return Split.of(as_bytes, labels)
