"""Gaussian blur of a random width."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tuner.hyperparameters.augmentation import Augmentation
from tuner.training.augmentation.augment import Augment, to_bytes, uniform
from tuner.training.augmentation.sampling import reflected
from tuner.training.data import TrainingData


def blur(settings: Augmentation, data: TrainingData) -> Augment | None:
    """Blur each image by a standard deviation uniform in [0, ``blur``] pixels."""
    most = settings.blur
    if most == 0:
        return None
    radius = math.ceil(3 * most)
    return lambda images, generator: blurred(images, uniform(0, most, (len(images),), generator), radius)


def blurred(images: Tensor, sigma: Tensor, radius: int) -> Tensor:
    """Return uint8 images blurred by sampled Gaussians over 2 radius + 1 pixels, reflected at the border.

    Args:
        images: uint8 [B, C, H, W].
        sigma: Standard deviations in pixels, float32 [B]; 0 changes nothing.
        radius: How far the Gaussians reach, in pixels.
    """
    weights = _gaussian(sigma, radius)
    return to_bytes(_weighted(_weighted(images.float(), weights, 2), weights, 3))


def _gaussian(sigma: Tensor, radius: int) -> Tensor:
    """Return the weights of each image's pixels at distances -radius to radius: [B, 2 radius + 1], of sum 1."""
    distance = torch.arange(-radius, radius + 1, device=sigma.device)
    # Below a twentieth of a pixel the neighbours' weights are 0 in float32.
    return torch.softmax(-0.5 * (distance / sigma[:, None].clamp_min(0.05)) ** 2, dim=1)


def _weighted(images: Tensor, weights: Tensor, dimension: int) -> Tensor:
    """Return the weighted sums along one dimension, one shift at a time: windows would take that much more memory."""
    length, taps = images.shape[dimension], weights.shape[1]
    places = torch.arange(-(taps // 2), length + taps // 2, device=images.device)
    padded = images.index_select(dimension, reflected(places, length))
    sums = torch.zeros_like(images)
    for tap in range(taps):
        sums.addcmul_(padded.narrow(dimension, tap, length), weights[:, tap].view(-1, 1, 1, 1))
    return sums
