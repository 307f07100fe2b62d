"""The hyperparameters of augmentation."""

from __future__ import annotations

from dataclasses import dataclass

from tuner.hyperparameters.declare import boolean, integer


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Random changes to training images, drawn for each image."""

    crop_padding: int = integer(
        0,
        "Random crop of the original size after reflecting this many pixels on each side; 0 is off.",
        unit="pixels",
        minimum=0,
        maximum=64,
    )
    flip: bool = boolean(False, "Mirror each image from left to right with probability 1/2.")
    cutout: int = integer(
        0,
        "Side of a square set to the mean colour at a random centre, cut off at the border; 0 is off.",
        unit="pixels",
        minimum=0,
        maximum=1024,
        source="DeVries and Taylor 2017",
    )
