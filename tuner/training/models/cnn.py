"""The small network of PyTorch's and TensorFlow's tutorials."""

from __future__ import annotations

from torch import nn

from tuner.hyperparameters.architectures import ImageShape
from tuner.hyperparameters.table import Hyperparameters
from tuner.training.layers.sites import MapSite
from tuner.training.models.head import Head

HIDDEN = 256


def cnn(hyperparameters: Hyperparameters, image_shape: ImageShape, classes: int) -> nn.Module:
    """Conv ``width``, conv 2 ``width``, ... (``depth`` of them), fc 256.

    Pooling comes before the activation, which then has a quarter of the work: with relu, or any other that rises, the
    two commute.
    """
    settings = hyperparameters.model
    channels, height, width = image_shape
    stages = []
    for index in range(settings.depth):
        stages.append(_stage(channels, settings.width << index, normed=settings.norm != "none"))
        channels, height, width = settings.width << index, height // 2, width // 2
    return nn.Sequential(
        *stages,
        nn.Flatten(),
        nn.Linear(channels * height * width, HIDDEN),
        nn.ReLU(inplace=True),
        Head(HIDDEN, classes),
    )


def _stage(channels_in: int, channels_out: int, normed: bool) -> nn.Sequential:
    norm = [nn.BatchNorm2d(channels_out)] if normed else []
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=not normed),  # a norm would take the bias away again
        *norm,
        nn.MaxPool2d(2),
        nn.ReLU(inplace=True),
        MapSite(),
    )
