"""The order in which an epoch visits the training images."""

from __future__ import annotations

import torch
from torch import Tensor


def steps_per_epoch(images: int, batch_size: int) -> int:
    """Return how many batches ``shuffled_batches`` makes."""
    full, rest = divmod(images, batch_size)
    return max(1, full + (rest > 1))


def shuffled_batches(images: int, batch_size: int, generator: torch.Generator) -> list[Tensor]:
    """Return the indices of each batch of an epoch; every image is in exactly one.

    The last batch may be smaller. A single image left over joins the batch before it, so that no batch norm ever
    sees a batch of one.

    Args:
        images: Number of training images, at least 2.
        batch_size: At least 2.
        generator: The trial's own; its device is the device of the indices.

    Returns:
        int64 tensors on the generator's device.
    """
    order = torch.randperm(images, generator=generator, device=generator.device)
    batches = list(order.split(batch_size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches
