"""The last layer of every network."""

from __future__ import annotations

from torch import nn

from tuner.training.layers.sites import UnitSite


class Head(nn.Sequential):
    """From features [B, features] to logits [B, classes]; fine-tuning knows a network's head by this class."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__(UnitSite(), nn.Linear(features, classes))
