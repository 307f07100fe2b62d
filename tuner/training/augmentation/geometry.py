"""Augmentations that move pixels: crops, mirrors and turns."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tuner.hyperparameters.augmentation import Augmentation
from tuner.training.augmentation.augment import Augment, chance, mean_colour, replaced, uniform
from tuner.training.augmentation.sampling import bilinear, reflected, rotated_grid
from tuner.training.boxes import fitting_sides, random_start
from tuner.training.data import TrainingData

_ASPECTS = (3 / 4, 4 / 3)  # height over width, of torchvision's RandomResizedCrop


def resized_crop(settings: Augmentation, data: TrainingData) -> Augment | None:
    """Crop a random rectangle of each image and resize it to the image's size, as torchvision's RandomResizedCrop.

    Where none of ten rectangles fits, the crop is the largest one in the middle whose aspect is in bounds.
    """
    smallest = settings.resized_crop
    if smallest is None:
        return None
    fill = mean_colour(data.mean)  # never seen, since all places lie inside

    def augment(images: Tensor, generator: torch.Generator) -> Tensor:
        count, _, height, width = images.shape
        area = (smallest * height * width, float(height * width))
        heights, widths, fits = fitting_sides(count, (height, width), area, _ASPECTS, generator)
        rows, columns = (
            _crop_places(length, torch.where(fits, side, middle), fits, generator)
            for length, side, middle in zip(
                (height, width), (heights, widths), _middle_sides(height, width), strict=True
            )
        )
        return bilinear(images, rows[:, :, None], columns[:, None, :], fill)

    return augment


def crop(settings: Augmentation, data: TrainingData) -> Augment | None:
    """Shift each image by up to ``crop_padding`` pixels both ways; what comes in is its reflection at the border.

    The same as reflection padding and a crop of the original size, for padding of any width.
    """
    padding = settings.crop_padding
    if padding == 0:
        return None

    def shifted(length: int, count: int, generator: torch.Generator) -> Tensor:
        shift = torch.randint(-padding, padding + 1, (count, 1), generator=generator, device=generator.device)
        return reflected(torch.arange(length, device=generator.device) + shift, length)

    def augment(images: Tensor, generator: torch.Generator) -> Tensor:
        count, channels, height, width = images.shape
        rows, columns = shifted(height, count, generator), shifted(width, count, generator)
        pixels = (rows[:, :, None] * width + columns[:, None, :]).view(count, 1, height * width)
        return images.flatten(2).gather(2, pixels.expand(-1, channels, -1)).view_as(images)

    return augment


def flip(settings: Augmentation, data: TrainingData) -> Augment | None:
    """Mirror each image from left to right with probability 1/2."""
    return _mirror(3) if settings.flip else None


def vertical_flip(settings: Augmentation, data: TrainingData) -> Augment | None:
    """Mirror each image from top to bottom with probability 1/2."""
    return _mirror(2) if settings.vertical_flip else None


def rotation(settings: Augmentation, data: TrainingData) -> Augment | None:
    """Turn each image around its centre; what comes in has the training images' mean colour."""
    if settings.rotation == 0:
        return None
    most, fill = math.radians(settings.rotation), mean_colour(data.mean)

    def augment(images: Tensor, generator: torch.Generator) -> Tensor:
        angle = uniform(-most, most, (len(images),), generator)
        return bilinear(images, *rotated_grid(angle, *images.shape[2:]), fill)

    return augment


def _mirror(dimension: int) -> Augment:
    def augment(images: Tensor, generator: torch.Generator) -> Tensor:
        return replaced(images, chance(0.5, len(images), generator), images.flip(dimension))

    return augment


def _middle_sides(height: int, width: int) -> tuple[int, int]:
    """Return the sides of the largest rectangle in an image whose aspect is in bounds."""
    return min(height, round(width * _ASPECTS[1])), min(width, round(height / _ASPECTS[0]))


def _crop_places(length: int, side: Tensor, random: Tensor, generator: torch.Generator) -> Tensor:
    """Return where to read along one dimension so that a crop fills it, float32 [B, length].

    Args:
        length: Of the image.
        side: Of the crop, int64 [B].
        random: Whether the crop's place is random; otherwise it is the middle.
        generator: The trial's own.
    """
    free = length - side
    start = torch.where(random, random_start(free, generator), free // 2)[:, None]
    side = side[:, None]
    within = (torch.arange(length, device=side.device) + 0.5) * side / length - 0.5
    return start + torch.minimum(within.clamp_min(0), side - 1)  # nothing beyond the crop mixes in
