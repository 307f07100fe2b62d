"""The hyperparameters of the budget."""

from __future__ import annotations

from dataclasses import dataclass

from tuner.hyperparameters.declare import integer


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long and on how much at a time."""

    epochs: int = integer(
        27,
        "Passes over the training images; decides how far schedules stretch.",
        unit="epochs",
        minimum=1,
        maximum=100_000,
    )
    batch_size: int = integer(128, "Images in a step.", unit="images", minimum=2, maximum=65_536)
    seed: int = integer(
        0,
        "Seed of initial weights, order and augmentation; derived from search.seed and the trial's number if absent.",
        minimum=0,
        maximum=2**31 - 1,
    )
