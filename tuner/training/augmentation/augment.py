"""What all augmentations share: their type, draws for each image, and the way back to bytes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

#: uint8 [B, C, H, W] and the trial's generator to new images of the same shape; its argument stays as it was.
Augment = Callable[[Tensor, torch.Generator], Tensor]


def replaced(images: Tensor, mask: Tensor, other: Tensor) -> Tensor:
    """Return ``other`` where a mask is true and the images elsewhere, all uint8.

    Arithmetic modulo 256: on the CPU four times as fast as ``torch.where`` on bytes.
    """
    return images + (other - images) * mask


def chance(probability: float, count: int, generator: torch.Generator) -> Tensor:
    """Return bool [count, 1, 1, 1], each true with a probability."""
    return torch.rand(count, 1, 1, 1, generator=generator, device=generator.device) < probability


def uniform(low: float, high: float, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Return float32 of a shape, uniform in [low, high)."""
    return low + (high - low) * torch.rand(shape, generator=generator, device=generator.device)


def for_pixels(values: Tensor) -> Tensor:
    """Return one value for each image, [B], in the shape that meets its pixels: [B, 1, 1, 1]."""
    return values.view(-1, 1, 1, 1)


def to_bytes(images: Tensor) -> Tensor:
    """Return float images, which may be overwritten, as uint8: rounded, and clipped to 0 to 255."""
    return images.round_().clamp_(0, 255).to(torch.uint8)


def mean_colour(mean: Tensor) -> Tensor:
    """Return the training images' mean, float32 [C] with 255 as 1, as uint8 [1, C, 1, 1]."""
    return (255 * mean).round().to(torch.uint8).view(1, -1, 1, 1)
