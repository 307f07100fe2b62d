"""The network of Page 2019 (DAWNBench)."""

from __future__ import annotations

from torch import Tensor, nn

from tuner.hyperparameters.architectures import ImageShape
from tuner.hyperparameters.table import Hyperparameters
from tuner.training.layers.sites import BranchSite, MapSite
from tuner.training.models.head import Head


def resnet9(hyperparameters: Hyperparameters, image_shape: ImageShape, classes: int) -> nn.Module:
    """Page's network with a plain linear head: no scale on the logits. Pooling precedes the activation, as in cnn."""
    width = hyperparameters.model.width
    return nn.Sequential(
        _stage(image_shape[0], width),
        _stage(width, 2 * width, nn.MaxPool2d(2)),
        _Residual(_stage(2 * width, 2 * width), _stage(2 * width, 2 * width), BranchSite()),
        _stage(2 * width, 4 * width, nn.MaxPool2d(2)),
        _stage(4 * width, 8 * width, nn.MaxPool2d(2)),
        _Residual(_stage(8 * width, 8 * width), _stage(8 * width, 8 * width), BranchSite()),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        Head(8 * width, classes),
    )


class _Residual(nn.Module):
    """Layers whose input is added to their output."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        """Return images + layers(images)."""
        residual: Tensor = self.layers(images)
        return images + residual


def _stage(channels_in: int, channels_out: int, *pooling: nn.Module) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        *pooling,
        nn.ReLU(inplace=True),
        MapSite(),
    )
