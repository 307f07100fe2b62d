"""Validation images are set aside from the training images, class by class and by a seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tuner.datasets.contents import Labels
from tuner.facts.errors import UsageError

Indices = NDArray[np.int64]


def split(
    labels: Labels, *, validation: int, split_seed: int, train_images: int | None = None
) -> tuple[Indices, Indices]:
    """Split training images into those that train and those that validate, both stratified.

    The same seed gives the same validation images whatever ``train_images`` is.

    Args:
        labels: Labels of the data set's training split.
        validation: Images to hold out, at least one a class on average.
        split_seed: Seed of the draw.
        train_images: Images to train on, drawn from what validation leaves; None takes all of it.

    Returns:
        Indices into ``labels`` for training and for validation, each ascending, disjoint.

    Raises:
        UsageError: Counts above what there is, or below the number of classes.
    """
    counts = np.bincount(labels)
    classes = int(np.count_nonzero(counts))
    _check("validation", validation, classes, len(labels) - classes)
    held_out = _shares(counts, validation)
    left = len(labels) - validation
    if train_images is not None:
        _check("train_images", train_images, classes, left)
    kept = _shares(counts - held_out, left if train_images is None else train_images)

    generator = np.random.default_rng(split_seed)
    train, held = [], []
    for label in range(len(counts)):
        drawn = generator.permutation(np.flatnonzero(labels == label))
        held.append(drawn[: held_out[label]])
        train.append(drawn[held_out[label] : held_out[label] + kept[label]])
    return np.sort(np.concatenate(train)), np.sort(np.concatenate(held))


def _shares(counts: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """Divide ``total`` in proportion to ``counts``, exactly, by largest remainder; ties go to the lower class."""
    shares, remainders = np.divmod(counts * total, counts.sum())
    most = np.argsort(-remainders, kind="stable")[: total - shares.sum()]
    shares[most] += 1
    return shares


def _check(name: str, value: int, classes: int, available: int) -> None:
    if not classes <= value <= available:
        raise UsageError(
            f"data.{name} must lie between {classes} (one image a class) and {available} (what there is), not {value}"
        )
