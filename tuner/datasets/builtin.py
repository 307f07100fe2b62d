"""Data sets that need no download: scikit-learn's digits, and one made from a fixed seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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

    A class is one of five orientations in one of two colours. Phase, wavelength and place differ from image to image,
    and a fainter grating of another class lies over each, so that no single pixel gives the class away.
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
    others = (labels + generator.integers(1, _CLASSES, size=count)) % _CLASSES
    light = 0.5 + _patches(generator, labels, 0.3) + _patches(generator, others, 0.2)
    light += generator.normal(0, 0.3, size=light.shape)
    images: Images = np.rint(light.clip(0, 1) * 255).astype(np.uint8)
    return Split.of(images, labels)


def _patches(generator: np.random.Generator, labels: Labels, contrast: float) -> NDArray[np.float64]:
    """Return one patch of each class's grating, [N, 3, 32, 32], zero on average."""

    def drawn(low: float, high: float) -> NDArray[np.float64]:
        return generator.uniform(low, high, size=(len(labels), 1, 1))

    row, column = np.mgrid[0.0:32.0, 0.0:32.0]
    angle = np.deg2rad(36 * (labels // 2)[:, None, None] + drawn(-15, 15))
    phase = (column * np.cos(angle) + row * np.sin(angle)) / drawn(5, 9) + drawn(0, 1)  # wavelengths of 5 to 9 pixels
    distance = (row - drawn(8, 24)) ** 2 + (column - drawn(8, 24)) ** 2
    patch = contrast * np.sin(2 * np.pi * phase) * np.exp(-distance / (2 * 8.0**2))  # fades 8 pixels from its centre
    colours = np.array([(1.0, 0.7, 0.4), (0.4, 0.7, 1.0)])[labels % 2]
    patches: NDArray[np.float64] = patch[:, None] * colours[:, :, None, None]
    return patches
