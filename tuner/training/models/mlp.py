"""The network without convolutions."""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch import nn

from tuner.hyperparameters.architectures import ImageShape
from tuner.hyperparameters.table import Hyperparameters
from tuner.training.layers.sites import UnitSite
from tuner.training.models.head import Head


def mlp(hyperparameters: Hyperparameters, image_shape: ImageShape, classes: int) -> nn.Module:
    """``depth`` hidden layers of ``width`` units."""
    settings = hyperparameters.model

    def layers() -> Iterator[nn.Module]:
        yield nn.Flatten()
        features = math.prod(image_shape)
        for index in range(settings.depth):
            if index > 0:  # pixels are no units: dropping them is augmentation's business
                yield UnitSite()
            yield nn.Linear(features, settings.width)
            yield nn.ReLU(inplace=True)
            features = settings.width
        yield Head(features, classes)

    return nn.Sequential(*layers())
