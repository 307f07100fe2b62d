"""The images of a final training: all of them, unless the configuration decides by held-out ones."""

from __future__ import annotations

import numpy as np
import torch

from tuner.datasets.prepared import PreparedData
from tuner.datasets.split_arrays import split_arrays
from tuner.study.recipe import Recipe
from tuner.training.data import TrainingData


def holds_out(recipe: Recipe) -> bool:
    """Return whether a configuration needs held-out images: to end early, or to lower its learning rate."""
    return recipe.config["schedule"] == "plateau" or recipe.config["early_stop_patience"] is not None


def final_images(recipe: Recipe, prepared: PreparedData, device: torch.device) -> TrainingData:
    """Return the images to train on, with validation images only where the configuration needs them.

    A search that trained on a subset (``train_images``) is followed: its training and validation images are used, and
    no others.

    Raises:
        UsageError: Counts that the data set cannot give.
        StorageError: The cache is full or cannot be written.
    """
    settings, held_out = recipe.data, holds_out(recipe)
    if not held_out and settings.train_images is None:
        images, labels = prepared.load_train()
        return TrainingData.from_arrays(images, labels, images[:0], labels[:0], prepared.classes, device=device)
    parts = split_arrays(
        prepared,
        validation=settings.validation,
        split_seed=settings.split_seed,
        train_images=settings.train_images,
    )
    if held_out:
        return TrainingData.from_arrays(**vars(parts), classes=prepared.classes, device=device)
    images = np.concatenate([parts.train_images, parts.validation_images])
    labels = np.concatenate([parts.train_labels, parts.validation_labels])
    return TrainingData.from_arrays(images, labels, images[:0], labels[:0], prepared.classes, device=device)
