"""Rectangles at random places, shared by cutout and cutmix."""

from __future__ import annotations

import torch
from torch import Tensor


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
    rows, columns = (
        _random_interval(count, length, side, generator) for length, side in zip(image_size, box_size, strict=True)
    )
    return (rows[:, :, None] & columns[:, None, :])[:, None]


def _random_interval(count: int, length: int, side: int | Tensor, generator: torch.Generator) -> Tensor:
    device = generator.device
    centre = torch.randint(length, (count, 1), generator=generator, device=device)
    side = side if isinstance(side, int) else side[:, None]
    offset = torch.arange(length, device=device) - (centre - side // 2)
    return (offset >= 0) & (offset < side)
