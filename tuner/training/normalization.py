"""From bytes to what the model sees."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tuner.training.data import TrainingData

#: uint8 [B, C, H, W] to float32 of the same shape. Stored channels last: convolutions on the CPU run faster on it.
Normalize = Callable[[Tensor], Tensor]


def dataset(data: TrainingData) -> Normalize:
    """Subtract the training images' mean and divide by their per-pixel standard deviation."""
    return _affine(1 / (255 * data.std), -data.mean / data.std)


def none(data: TrainingData) -> Normalize:
    """Scale bytes to [0, 1]."""
    return _affine(torch.full_like(data.std, 1 / 255), torch.zeros_like(data.mean))


NORMALIZATIONS: dict[str, Callable[[TrainingData], Normalize]] = {"dataset": dataset, "none": none}


def _affine(scale: Tensor, shift: Tensor) -> Normalize:
    scale, shift = scale.view(1, -1, 1, 1), shift.view(1, -1, 1, 1)

    def normalize(images: Tensor) -> Tensor:
        return images.to(torch.float32, memory_format=torch.channels_last).mul_(scale).add_(shift)

    return normalize
