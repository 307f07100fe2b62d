"""Random changes to training images: batched on the device, drawn for each image.

All work on bytes, before normalization. A new augmentation is one builder in ``AUGMENTATIONS`` and one test class.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tuner.hyperparameters.augmentation import Augmentation
from tuner.training.boxes import random_boxes
from tuner.training.data import TrainingData

#: uint8 [B, C, H, W] and the trial's generator to new images of the same shape; its argument stays as it was.
Augment = Callable[[Tensor, torch.Generator], Tensor]


def crop(settings: Augmentation, data: TrainingData) -> Augment | None:
    """Shift each image by up to ``crop_padding`` pixels both ways; what comes in is its reflection at the border.

    The same as reflection padding and a crop of the original size, for padding of any width.
    """
    padding = settings.crop_padding
    if padding == 0:
        return None

    def shifted(length: int, count: int, generator: torch.Generator) -> Tensor:
        shift = torch.randint(-padding, padding + 1, (count, 1), generator=generator, device=generator.device)
        period = max(1, 2 * (length - 1))
        index = (torch.arange(length, device=generator.device) + shift) % period
        return torch.minimum(index, period - index)

    def augment(images: Tensor, generator: torch.Generator) -> Tensor:
        count, channels, height, width = images.shape
        rows, columns = shifted(height, count, generator), shifted(width, count, generator)
        pixels = (rows[:, :, None] * width + columns[:, None, :]).view(count, 1, height * width)
        return images.flatten(2).gather(2, pixels.expand(-1, channels, -1)).view_as(images)

    return augment


def flip(settings: Augmentation, data: TrainingData) -> Augment | None:
    """Mirror each image from left to right with probability 1/2."""
    if not settings.flip:
        return None

    def augment(images: Tensor, generator: torch.Generator) -> Tensor:
        mirrored = torch.rand(len(images), 1, 1, 1, generator=generator, device=generator.device) < 0.5
        return torch.where(mirrored, images.flip(3), images)

    return augment


def cutout(settings: Augmentation, data: TrainingData) -> Augment | None:
    """Set one square of each image to the training images' mean colour, rounded to a byte."""
    side = settings.cutout
    if side == 0:
        return None
    colour = (255 * data.mean).round().to(torch.uint8).view(1, -1, 1, 1)

    def augment(images: Tensor, generator: torch.Generator) -> Tensor:
        count, _, height, width = images.shape
        return torch.where(random_boxes(count, (height, width), (side, side), generator), colour, images)

    return augment


#: Name to builder, in the order of application; a builder returns None where its hyperparameters switch it off.
AUGMENTATIONS: dict[str, Callable[[Augmentation, TrainingData], Augment | None]] = {
    "crop": crop,
    "flip": flip,
    "cutout": cutout,
}


def build(settings: Augmentation, data: TrainingData) -> Augment:
    """Return all augmentations that are on, one after the other."""
    active = [augment for builder in AUGMENTATIONS.values() if (augment := builder(settings, data)) is not None]

    def augment_all(images: Tensor, generator: torch.Generator) -> Tensor:
        for augment in active:
            images = augment(images, generator)
        return images

    return augment_all
