"""All augmentations, in their order.

All work on bytes, before images are resized and normalized. Pixels move first, then colours change, then parts are
hidden: so a hidden part keeps its size, place and mean colour. A new augmentation is one builder in ``AUGMENTATIONS``
and one test class.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tuner.facts.errors import UsageError
from tuner.hyperparameters.augmentation import Augmentation, colour_problem
from tuner.training.augmentation.augment import Augment
from tuner.training.augmentation.blur import blur
from tuner.training.augmentation.geometry import crop, flip, resized_crop, rotation, vertical_flip
from tuner.training.augmentation.jitter import brightness, contrast, grayscale, hue, saturation
from tuner.training.augmentation.occlusion import cutout, erasing
from tuner.training.augmentation.trivial_augment import trivial_augment
from tuner.training.data import TrainingData

#: Name to builder, in the order of application; a builder returns None where its hyperparameter switches it off.
AUGMENTATIONS: dict[str, Callable[[Augmentation, TrainingData], Augment | None]] = {
    "resized_crop": resized_crop,
    "crop_padding": crop,
    "flip": flip,
    "vertical_flip": vertical_flip,
    "rotation": rotation,
    "trivial_augment": trivial_augment,
    "brightness": brightness,
    "contrast": contrast,
    "saturation": saturation,
    "hue": hue,
    "grayscale": grayscale,
    "blur": blur,
    "erasing": erasing,
    "cutout": cutout,
}


def build(settings: Augmentation, data: TrainingData) -> Augment:
    """Return all augmentations that are on, one after the other.

    Raises:
        UsageError: One of them needs images of 3 channels.
    """
    if (problem := colour_problem(vars(settings), data.image_shape[0])) is not None:
        raise UsageError(problem)
    active = [augment for builder in AUGMENTATIONS.values() if (augment := builder(settings, data)) is not None]

    def augment_all(images: Tensor, generator: torch.Generator) -> Tensor:
        for augment in active:
            images = augment(images, generator)
        return images

    return augment_all
