"""Augmentations of colour: random amounts of brightness, contrast, saturation and hue, and lost colours."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tuner.hyperparameters.augmentation import Augmentation
from tuner.training.augmentation.augment import Augment, chance, uniform
from tuner.training.augmentation.colour import brightened, contrasted, saturated, with_turned_hue, without_colour
from tuner.training.data import TrainingData


def brightness(settings: Augmentation, data: TrainingData) -> Augment | None:
    """Multiply pixels by a random factor."""
    return _by_factor(settings.brightness, brightened)


def contrast(settings: Augmentation, data: TrainingData) -> Augment | None:
    """Multiply the distance of pixels from the image's mean grey by a random factor."""
    return _by_factor(settings.contrast, contrasted)


def saturation(settings: Augmentation, data: TrainingData) -> Augment | None:
    """Multiply the distance of pixels from their grey by a random factor."""
    return _by_factor(settings.saturation, saturated)


def hue(settings: Augmentation, data: TrainingData) -> Augment | None:
    """Turn the hue by a random share of the colour circle."""
    most = settings.hue
    if most == 0:
        return None
    return lambda images, generator: with_turned_hue(images, uniform(-most, most, (len(images),), generator))


def grayscale(settings: Augmentation, data: TrainingData) -> Augment | None:
    """Take an image's colours away, with a probability."""
    if settings.grayscale == 0:
        return None

    def augment(images: Tensor, generator: torch.Generator) -> Tensor:
        lost = chance(settings.grayscale, len(images), generator)
        return torch.where(lost, without_colour(images), images)

    return augment


def _by_factor(most: float, change: Callable[[Tensor, Tensor], Tensor]) -> Augment | None:
    """Return a change by a factor uniform in [max(0, 1 - most), 1 + most]; None where that is always 1."""
    if most == 0:
        return None
    return lambda images, generator: change(images, uniform(max(0.0, 1 - most), 1 + most, (len(images),), generator))
