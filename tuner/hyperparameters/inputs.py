"""What happens to every image before the model sees it."""

from __future__ import annotations

from dataclasses import dataclass

from tuner.hyperparameters.declare import choice, integer


@dataclass(frozen=True, kw_only=True)
class Input:
    """What happens to every image before the model sees it, in training after its augmentation."""

    normalize: str = choice(
        "dataset",
        ("dataset", "pretrained", "none"),
        "Subtract a mean and divide by a standard deviation, per channel: dataset, those of all pixels of the training "
        "images; pretrained, those that torchvision's weights were trained with, for images of 3 channels; none: bytes "
        "are scaled to [0, 1].",
        default_by={"pretrained": {True: "pretrained"}},
        source="pretrained: the mean and deviation of ImageNet in torchvision's weights",
    )
    image_size: int | None = integer(
        None,
        "Side of the square that every image is resized to, bilinear with antialiasing; other shapes are stretched. "
        "Null leaves images as they are. Augmentations that count pixels count those of the data set's own images.",
        unit="pixels",
        minimum=4,
        maximum=1024,
    )
