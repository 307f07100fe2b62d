"""What happens to every image before the model sees it."""

from __future__ import annotations

from dataclasses import dataclass

from tuner.hyperparameters.declare import choice


@dataclass(frozen=True, kw_only=True)
class Input:
    """What happens to every image before the model sees it."""

    normalize: str = choice(
        "dataset",
        ("dataset", "none"),
        "Subtract the mean and divide by the per-pixel standard deviation of the training images, per channel.",
    )
