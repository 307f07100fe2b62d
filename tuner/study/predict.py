"""A trained model on single image files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional

from tuner.datasets.images import Encoded, decoded
from tuner.study.trained_model import TrainedModel


@dataclass(frozen=True)
class Prediction:
    """What a model says about one image.

    Attributes:
        probabilities: Class to probability, the most probable first.
        resized_from: Width and height of the file, where they are not those that the model takes.
    """

    probabilities: dict[str, float]
    resized_from: tuple[int, int] | None


def predict(model: TrainedModel, path: Path) -> Prediction:
    """Return what a model says about an image file.

    Its mode becomes that of the model's images by the rule of ``tuner.datasets.images``. One of another size is
    resized to the model's, bilinear with antialiasing, without regard to its aspect.

    Raises:
        UsageError: The file is missing or no image.
    """
    channels, *size = model.image_shape
    (images,) = decoded([Encoded(str(path), path)], channels)
    image = torch.from_numpy(images.copy())
    height, width = image.shape[2:]
    other = [height, width] != size
    if other:
        image = functional.interpolate(image, size, mode="bilinear", antialias=True)
    probabilities = model.probabilities(image)[0].tolist()
    order = sorted(range(len(probabilities)), key=lambda label: -probabilities[label])
    return Prediction(
        {model.classes[label]: probabilities[label] for label in order}, (width, height) if other else None
    )
