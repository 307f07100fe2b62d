"""Validation images are set aside from the training images, class by class and by a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuner.datasets.contents import Labels
from tuner.facts.errors import UsageError

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Reserved:
    """Training images that no split may hold, stratified and by a seed, so that every model can be asked about them."""

    count: int
    seed: int


def split(
    labels: Labels,
    *,
    validation: int,
    split_seed: int,
    train_images: int | None = None,
    reserved: Reserved | None = None,
) -> tuple[Indices, Indices]:
    """Split training images into those that train and those that validate, both stratified.

    The same seed gives the same validation images whatever ``train_images`` is.

    Args:
        labels: Labels of the data set's training split.
        validation: Images to hold out, at least one a class on average.
        split_seed: Seed of the draw.
        train_images: Images to train on, drawn from what validation leaves; None takes all of it.
        reserved: Images that belong to neither part, or None.

    Returns:
        Indices into ``labels`` for training and for validation, each ascending, disjoint.

    Raises:
        UsageError: Counts above what there is, or below the number of classes.
    """
    free = np.ones(len(labels), bool)
    if reserved is not None:
        free[reserved_images(labels, reserved)] = False
    counts = np.bincount(labels[free])
    classes, total = int(np.count_nonzero(counts)), int(free.sum())
    _check("validation", validation, classes, total - classes)
    held_out = _shares(counts, validation)
    left = total - validation
    if train_images is not None:
        _check("train_images", train_images, classes, left)
    kept = _shares(counts - held_out, left if train_images is None else train_images)

    generator = np.random.default_rng(split_seed)
    train, held = [], []
    for label in range(len(counts)):
        drawn = generator.permutation(np.flatnonzero((labels == label) & free))
        held.append(drawn[: held_out[label]])
        train.append(drawn[held_out[label] : held_out[label] + kept[label]])
    return np.sort(np.concatenate(train)), np.sort(np.concatenate(held))


def reserved_images(labels: Labels, reserved: Reserved) -> Indices:
    """Return the indices of reserved images, ascending."""
    generator = np.random.default_rng(reserved.seed)
    shares = _shares(np.bincount(labels), reserved.count)
    drawn = [generator.permutation(np.flatnonzero(labels == label))[:share] for label, share in enumerate(shares)]
    return np.sort(np.concatenate(drawn))


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
