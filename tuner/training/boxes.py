"""Rectangles at random places, shared by the augmentations and cutmix."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_TRIES = 10  # of torchvision's RandomResizedCrop and RandomErasing


def random_boxes(
    count: int, image_size: tuple[int, int], box_size: tuple[int | Tensor, int | Tensor], generator: torch.Generator
) -> Tensor:
    """Draw one box for each of ``count`` images: uniform centre, cut off at the border.

    Args:
        count: Number of boxes.
        image_size: Height and width of the images.
        box_size: Height and width of a box before it is cut off, at least 0; exact for odd values too. Each is one
            number for all boxes, or int64 [count].
        generator: The trial's own.

    Returns:
        bool [count, 1, height, width], true inside the box.
    """
    device = generator.device
    intervals = []
    for length, side in zip(image_size, box_size, strict=True):
        centre = torch.randint(length, (count, 1), generator=generator, device=device)
        column = side if isinstance(side, int) else side.view(-1, 1)
        intervals.append(_interval(length, centre - column // 2, column))
    return _boxes(*intervals)


def boxes_within(image_size: tuple[int, int], box_size: tuple[Tensor, Tensor], generator: torch.Generator) -> Tensor:
    """Draw one box for each image, uniform among those that lie within it.

    Args:
        image_size: Height and width of the images.
        box_size: Heights and widths, int64 [count] each; a box that is larger than the image has no meaning.
        generator: The trial's own.

    Returns:
        bool [count, 1, height, width], true inside the box.
    """
    intervals = [
        _interval(length, random_start(length - side, generator).view(-1, 1), side.view(-1, 1))
        for length, side in zip(image_size, box_size, strict=True)
    ]
    return _boxes(*intervals)


def random_start(free: Tensor, generator: torch.Generator) -> Tensor:
    """Return integers uniform from 0 to ``free``, both included: int64 of its shape."""
    drawn = torch.rand(free.shape, generator=generator, device=generator.device)
    return (drawn * (free + 1)).floor().long()


def fitting_sides(
    count: int,
    largest: tuple[int, int],
    area: tuple[float, float],
    aspect: tuple[float, float],
    generator: torch.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw the sides of one box for each image, each the first of ten that fits.

    Args:
        count: Number of images.
        largest: Height and width that a box may have.
        area: Bounds of a box's area in pixels, which is uniform before its sides are rounded.
        aspect: Bounds of height over width, whose logarithm is uniform.
        generator: The trial's own.

    Returns:
        Heights and widths, int64 [count], and whether one of the ten fits, bool [count].
    """
    drawn = torch.rand(2, count, _TRIES, generator=generator, device=generator.device)
    areas = area[0] + (area[1] - area[0]) * drawn[0]
    root = torch.exp((math.log(aspect[0]) + math.log(aspect[1] / aspect[0]) * drawn[1]) / 2)
    heights, widths = (areas.sqrt() * root).round().long(), (areas.sqrt() / root).round().long()
    fits = (heights > 0) & (heights <= largest[0]) & (widths > 0) & (widths <= largest[1])
    first = fits.int().argmax(1, keepdim=True)
    return heights.gather(1, first)[:, 0], widths.gather(1, first)[:, 0], fits.any(1)


def _interval(length: int, start: Tensor, side: int | Tensor) -> Tensor:
    offset = torch.arange(length, device=start.device) - start
    return (offset >= 0) & (offset < side)


def _boxes(rows: Tensor, columns: Tensor) -> Tensor:
    return (rows[:, :, None] & columns[:, None, :])[:, None]
