"""Augmentations that hide a part of an image behind the training images' mean colour, rounded to a byte."""

from __future__ import annotations

import torch
from torch import Tensor

from tuner.hyperparameters.augmentation import Augmentation
from tuner.training.augmentation.augment import Augment, chance, for_pixels, mean_colour, replaced
from tuner.training.boxes import boxes_within, fitting_sides, random_boxes
from tuner.training.data import TrainingData

# Of torchvision's RandomErasing: shares of the image's area, and heights over widths.
_ERASED_AREA = (0.02, 0.33)
_ERASED_ASPECTS = (0.3, 3.3)


def erasing(settings: Augmentation, data: TrainingData) -> Augment | None:
    """Hide one rectangle that lies within the image, with a probability; where none of ten drawn fits, hide nothing."""
    if settings.erasing == 0:
        return None
    colour = mean_colour(data.mean)

    def augment(images: Tensor, generator: torch.Generator) -> Tensor:
        count, _, height, width = images.shape
        area = (_ERASED_AREA[0] * height * width, _ERASED_AREA[1] * height * width)
        largest = (height - 1, width - 1)  # as in torchvision, no side is as long as the image's
        heights, widths, fits = fitting_sides(count, largest, area, _ERASED_ASPECTS, generator)
        boxes = boxes_within((height, width), (heights, widths), generator)
        erased = chance(settings.erasing, count, generator) & for_pixels(fits)
        return replaced(images, boxes & erased, colour)

    return augment


def cutout(settings: Augmentation, data: TrainingData) -> Augment | None:
    """Hide one square of each image, cut off at the border."""
    side = settings.cutout
    if side == 0:
        return None
    colour = mean_colour(data.mean)

    def augment(images: Tensor, generator: torch.Generator) -> Tensor:
        count, _, height, width = images.shape
        return replaced(images, random_boxes(count, (height, width), (side, side), generator), colour)

    return augment
