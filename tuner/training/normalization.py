"""From bytes to what the model sees: resized where asked for, then normalized.

Training images come here after their augmentation, all others come here alone. Resizing is last among what works on
bytes: pixels of augmentations are then the data set's own whatever ``image_size`` is, and the small images of a search
that fine-tunes large networks stay cheap to augment and to keep.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from tuner.facts.errors import UsageError
from tuner.hyperparameters.inputs import Input

#: uint8 [B, C, H, W] to float32, of the shape that ``input_shape`` tells. Stored channels last: convolutions on the CPU
#: run faster on it.
Normalize = Callable[[Tensor], Tensor]

#: Of the images that torchvision's weights were trained on, with 255 as 1.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Constants(Protocol):
    """What ``TrainingData`` and other records know of the training images: float32 [C] each, with 255 as 1."""

    @property
    def mean(self) -> Tensor:
        """Mean of the pixels."""

    @property
    def std(self) -> Tensor:
        """Standard deviation over all pixels."""


def dataset(constants: Constants) -> Normalize:
    """Subtract the training images' mean and divide by their per-pixel standard deviation."""
    return _affine(constants.mean, constants.std)


def pretrained(constants: Constants) -> Normalize:
    """Subtract the mean and divide by the deviation that torchvision's weights were trained with.

    Raises:
        UsageError: The images do not have 3 channels.
    """
    if len(constants.mean) != 3:
        raise UsageError(f"normalize: pretrained needs images of 3 channels, not {len(constants.mean)}")
    return _affine(constants.mean.new_tensor(IMAGENET_MEAN), constants.std.new_tensor(IMAGENET_STD))


def none(constants: Constants) -> Normalize:
    """Scale bytes to [0, 1]."""
    return _affine(torch.zeros_like(constants.mean), torch.ones_like(constants.std))


NORMALIZATIONS: dict[str, Callable[[Constants], Normalize]] = {
    "dataset": dataset,
    "pretrained": pretrained,
    "none": none,
}


def build(settings: Input, constants: Constants) -> Normalize:
    """Return what turns bytes into the input of the model.

    Raises:
        UsageError: The normalization does not fit the images' channels.
    """
    normalize = NORMALIZATIONS[settings.normalize](constants)
    side = settings.image_size
    return normalize if side is None else lambda images: normalize(resized(images, side))


def input_shape(settings: Input, image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return channels, height and width of what the model sees, given those of the data set's images."""
    side = settings.image_size
    return image_shape if side is None else (image_shape[0], side, side)


def resized(images: Tensor, side: int) -> Tensor:
    """Return uint8 images as uint8 squares, as torchvision's ``resize`` does: bilinear with antialiasing."""
    if images.device.type == "cpu":  # resizes bytes as they are, ten times as fast as floats
        return functional.interpolate(images, (side, side), mode="bilinear", antialias=True)
    return functional.interpolate(images.float(), (side, side), mode="bilinear", antialias=True).round().to(torch.uint8)


def _affine(mean: Tensor, std: Tensor) -> Normalize:
    scale, shift = (1 / (255 * std)).view(1, -1, 1, 1), (-mean / std).view(1, -1, 1, 1)

    def normalize(images: Tensor) -> Tensor:
        # As large as an image, since one number for each channel takes twice as long where channels are stored last.
        # Made anew each time: what is kept from one call to the next would break the exports.
        whole_scale, whole_shift = (
            constant.expand(-1, -1, *images.shape[2:]).contiguous(memory_format=torch.channels_last)
            for constant in (scale, shift)
        )
        return images.to(torch.float32, memory_format=torch.channels_last).mul_(whole_scale).add_(whole_shift)

    return normalize
