"""The hyperparameters of augmentation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuner.hyperparameters.declare import boolean, integer, real

#: Those that make no sense without red, green and blue; 0 switches each off.
COLOURS = ("saturation", "hue", "grayscale")


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Random changes to training images alone, drawn for each image and applied in this order."""

    resized_crop: float | None = real(
        None,
        "Smallest share of an image's area that a random crop keeps, of aspect 3/4 to 4/3; the crop is resized to the "
        "image's size, bilinear.",
        minimum=0,
        maximum=1,
        above=True,
        source="torchvision RandomResizedCrop; Szegedy et al. 2014",
    )
    crop_padding: int = integer(
        0,
        "Random crop of the original size after reflecting this many pixels on each side; 0 is off.",
        unit="pixels",
        minimum=0,
        maximum=64,
        source="He et al. 2016, there with zeros",
    )
    flip: bool = boolean(
        False,
        "Mirror each image from left to right with probability 1/2.",
        source="torchvision RandomHorizontalFlip",
    )
    vertical_flip: bool = boolean(
        False,
        "Mirror each image from top to bottom with probability 1/2.",
        source="torchvision RandomVerticalFlip",
    )
    rotation: float = real(
        0.0,
        "Rotate by an angle uniform in [-rotation, rotation] around the centre, bilinear; what comes in has the mean "
        "colour; 0 is off.",
        unit="degrees",
        minimum=0,
        maximum=180,
        source="torchvision RandomRotation",
    )
    trivial_augment: bool = boolean(
        False,
        "One of 14 changes of shape or colour for each image, of a strength uniform over 31 steps; shifts reach 32 "
        "pixels, as published, and what comes in is black.",
        source="TrivialAugment (wide), Müller and Hutter 2021",
    )
    brightness: float = real(
        0.0,
        "Multiply pixels by a factor uniform in [max(0, 1 - brightness), 1 + brightness]; 0 is off.",
        minimum=0,
        maximum=10,
        source="torchvision ColorJitter",
    )
    contrast: float = real(
        0.0,
        "Multiply the distance of pixels from the image's mean grey by a factor uniform in [max(0, 1 - contrast), 1 + "
        "contrast]; 0 is off.",
        minimum=0,
        maximum=10,
        source="torchvision ColorJitter",
    )
    saturation: float = real(
        0.0,
        "Multiply the distance of pixels from their grey by a factor uniform in [max(0, 1 - saturation), 1 + "
        "saturation]; needs 3 channels; 0 is off.",
        minimum=0,
        maximum=10,
        source="torchvision ColorJitter",
    )
    hue: float = real(
        0.0,
        "Turn the hue by a share of the colour circle uniform in [-hue, hue]; needs 3 channels; 0 is off.",
        minimum=0,
        maximum=0.5,
        source="torchvision ColorJitter",
    )
    grayscale: float = real(
        0.0,
        "Probability that an image loses its colours; needs 3 channels; 0 is off.",
        minimum=0,
        maximum=1,
        source="torchvision RandomGrayscale",
    )
    blur: float = real(
        0.0,
        "Gaussian blur of a standard deviation uniform in [0, blur], cut off at three times the largest one; 0 is off.",
        unit="pixels",
        minimum=0,
        maximum=16,
        source="Chen et al. 2020 (SimCLR)",
    )
    erasing: float = real(
        0.0,
        "Probability that a rectangle of 2 to 33 % of the image, of aspect 0.3 to 3.3, gets the mean colour; 0 is off.",
        minimum=0,
        maximum=1,
        source="Zhong et al. 2020, as torchvision RandomErasing",
    )
    cutout: int = integer(
        0,
        "Side of a square set to the mean colour at a random centre, cut off at the border; 0 is off.",
        unit="pixels",
        minimum=0,
        maximum=1024,
        source="DeVries and Taylor 2017",
    )


def colour_problem(values: Mapping[str, Any], channels: int) -> str | None:
    """Return why images of so many channels cannot be augmented so, as one sentence; None if they can.

    Args:
        values: Name to value, or to the largest value that a search may draw; a name left out is off.
        channels: Of the images.
    """
    asked = [name for name in COLOURS if values.get(name, 0) > 0]
    return f"{asked[0]} needs images of 3 channels, not {channels}" if asked and channels != 3 else None
