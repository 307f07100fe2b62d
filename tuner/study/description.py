"""What config.json says of a trained model: all that is needed to build it and to feed it images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, TypeGuard


@dataclass(frozen=True)
class Description:
    """What a model is.

    Attributes:
        config: Hyperparameter to value.
        classes: Names of the classes, in the order of the logits; each stands once.
        image_shape: Channels, height and width of the images.
        mean: Of each channel of the training images, with 255 as 1.
        std: Standard deviation of each channel, above 0.
    """

    config: Mapping[str, Any]
    classes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @staticmethod
    def of(record: Mapping[str, Any]) -> Description:
        """Return what a record says that was written as config.json; it may hold more.

        Raises:
            ValueError: A part is missing or cannot be true.
        """
        config, classes, shape = record.get("config"), record.get("classes"), record.get("image_shape")
        if not isinstance(config, dict):
            raise ValueError("config is no table of hyperparameters")
        if not _is_list(classes, str) or not classes or len(set(classes)) < len(classes):
            raise ValueError("classes is no list of different names")
        if not _is_list(shape, int) or len(shape) != 3 or min(shape) < 1:
            raise ValueError("image_shape is not channels, height and width")
        channels, height, width = shape
        mean, std = (_constants(record, name, channels) for name in ("mean", "std"))
        if min(std) <= 0:
            raise ValueError("normalization has a std that is not above 0")
        return Description(config, tuple(classes), (channels, height, width), mean, std)


def _constants(record: Mapping[str, Any], name: str, channels: int) -> tuple[float, ...]:
    normalization = record.get("normalization")
    values = normalization.get(name) if isinstance(normalization, dict) else None
    if not _is_list(values, int | float) or len(values) != channels or not all(map(math.isfinite, values)):
        raise ValueError(f"normalization has no {name} of one number for each channel")
    return tuple(values)


def _is_list(values: object, kind: type | UnionType) -> TypeGuard[list[Any]]:
    """Return whether a value is a list of texts or numbers; true and false are no numbers."""
    return isinstance(values, list) and all(isinstance(one, kind) and not isinstance(one, bool) for one in values)
