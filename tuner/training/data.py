"""The images that a trial trains on and is measured with, as tensors on its device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuner.facts.errors import UsageError

_CHUNK = 1024  # images counted at a time: bounds the memory of the constants, changes nothing in them


@dataclass(frozen=True)
class TrainingData:
    """Training and validation images of one search; made by ``from_arrays`` and shared by its trials.

    The test split has no place here: nothing that chooses can read it.

    Attributes:
        train_images: uint8 [N, C, H, W].
        train_labels: int64 [N], each from 0 up to the number of classes.
        validation_images: uint8 [M, C, H, W]; none (M = 0) where every image is trained on.
        validation_labels: int64 [M].
        classes: Names of the classes, in the order of the labels.
        mean: float32 [C], mean of the training images' pixels, with 255 as 1.
        std: float32 [C], standard deviation over all pixels of the training images (not the mean of per-image ones).
    """

    train_images: Tensor
    train_labels: Tensor
    validation_images: Tensor
    validation_labels: Tensor
    classes: tuple[str, ...]
    mean: Tensor
    std: Tensor

    @staticmethod
    def from_arrays(
        train_images: NDArray[np.uint8],
        train_labels: NDArray[Any],
        validation_images: NDArray[np.uint8],
        validation_labels: NDArray[Any],
        classes: tuple[str, ...],
        *,
        device: torch.device,
    ) -> TrainingData:
        """Put decoded images on a device.

        On the CPU, arrays that are mapped copy-on-write stay mapped: trials of one machine share their pages.

        Args:
            train_images: uint8 [N, C, H, W] with N >= 2.
            train_labels: Integers [N].
            validation_images: uint8 [M, C, H, W]; M may be 0.
            validation_labels: Integers [M].
            classes: Names of the classes; labels count from 0.
            device: Where the trials train.

        Raises:
            UsageError: The arrays do not have these shapes or types, or a label has no class.
        """
        _check_part("training", train_images, train_labels, classes, at_least=2)
        _check_part("validation", validation_images, validation_labels, classes, at_least=0)
        if train_images.shape[1:] != validation_images.shape[1:]:
            shapes = f"{train_images.shape[1:]} and {validation_images.shape[1:]}"
            raise UsageError(f"training and validation images must have one shape, not {shapes}")
        images = _shared(train_images)
        mean, std = channel_constants(images)
        return TrainingData(
            train_images=images.to(device),
            train_labels=torch.as_tensor(np.asarray(train_labels, np.int64), device=device),
            validation_images=_shared(validation_images).to(device),
            validation_labels=torch.as_tensor(np.asarray(validation_labels, np.int64), device=device),
            classes=classes,
            mean=mean.to(device),
            std=std.to(device),
        )

    @property
    def has_validation(self) -> bool:
        """Whether any images are held out."""
        return len(self.validation_labels) > 0

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of every image."""
        channels, height, width = self.train_images.shape[1:]
        return channels, height, width


def channel_constants(images: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and per-pixel standard deviation of each channel, exact, from counts of the 256 values.

    Args:
        images: uint8 [N, C, H, W] on the CPU.

    Returns:
        Two float32 tensors [C], with 255 as 1. A channel of one colour gets the deviation 1, so that it becomes zeros.
    """
    channels = images.shape[1]
    counts = torch.zeros(channels, 256, dtype=torch.int64)
    for chunk in images.split(_CHUNK):
        for channel in range(channels):
            counts[channel] += torch.bincount(chunk[:, channel].flatten(), minlength=256)
    values = torch.arange(256, dtype=torch.float64) / 255
    share = counts.double() / counts.sum(1, keepdim=True)
    mean = (share * values).sum(1)
    std = (share * (values - mean[:, None]) ** 2).sum(1).sqrt()
    return mean.float(), torch.where(std > 0, std, 1.0).float()


def _shared(images: NDArray[np.uint8]) -> Tensor:
    # PyTorch has no read-only tensors: an array that refuses writes must be copied, one mapped copy-on-write must not.
    return torch.from_numpy(images if images.flags.writeable else images.copy())


def _check_part(
    part: str, images: NDArray[np.uint8], labels: NDArray[Any], classes: tuple[str, ...], at_least: int
) -> None:
    if images.dtype != np.uint8 or images.ndim != 4:
        raise UsageError(
            f"{part} images must be uint8 of shape [N, C, H, W], not {images.dtype} of shape {images.shape}"
        )
    if len(images) < at_least:
        raise UsageError(f"at least {at_least} {part} images are needed, there are {len(images)}")
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise UsageError(f"{part} labels must be {len(images)} integers, not {labels.dtype} of shape {labels.shape}")
    if np.any((labels < 0) | (labels >= len(classes))):
        raise UsageError(f"{part} labels must be from 0 to {len(classes) - 1}, one for each class")
