"""The networks, each with a stem for small images. A new one is one builder in ``MODELS`` and one test class."""

from __future__ import annotations

from collections.abc import Callable

import torchvision
from torch import Tensor, nn

from tuner.facts.errors import UsageError
from tuner.hyperparameters.table import Hyperparameters

SMALLEST_SIDE = 8  # three halvings leave one pixel

#: Channels, height and width.
ImageShape = tuple[int, int, int]


def cnn(hyperparameters: Hyperparameters, image_shape: ImageShape, classes: int) -> nn.Module:
    """Conv ``width``, conv 2 ``width``, fc 256: the small network of PyTorch's and TensorFlow's tutorials."""
    channels, height, rest = image_shape
    width = hyperparameters.model.width
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(2 * width * (height // 4) * (rest // 4), 256),
        nn.ReLU(inplace=True),
        nn.Dropout(hyperparameters.dropout.dropout),
        nn.Linear(256, classes),
    )


def resnet9(hyperparameters: Hyperparameters, image_shape: ImageShape, classes: int) -> nn.Module:
    """The network of Page 2019 (DAWNBench), with a plain linear head: no norm and no scale on the logits."""
    width = hyperparameters.model.width
    return nn.Sequential(
        _conv_norm(image_shape[0], width),
        _conv_norm(width, 2 * width, nn.MaxPool2d(2)),
        _Residual(_conv_norm(2 * width, 2 * width), _conv_norm(2 * width, 2 * width)),
        _conv_norm(2 * width, 4 * width, nn.MaxPool2d(2)),
        _conv_norm(4 * width, 8 * width, nn.MaxPool2d(2)),
        _Residual(_conv_norm(8 * width, 8 * width), _conv_norm(8 * width, 8 * width)),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Dropout(hyperparameters.dropout.dropout),
        nn.Linear(8 * width, classes),
    )


def resnet18(hyperparameters: Hyperparameters, image_shape: ImageShape, classes: int) -> nn.Module:
    """ResNet-18 of torchvision with the stem of He et al. 2015 for CIFAR: a 3x3 convolution of stride 1, no pooling."""
    model: nn.Module = torchvision.models.resnet18(weights=None)
    model.conv1 = nn.Conv2d(image_shape[0], 64, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")  # as torchvision's others
    model.maxpool = nn.Identity()
    model.fc = nn.Sequential(nn.Dropout(hyperparameters.dropout.dropout), nn.Linear(512, classes))
    return model


#: Name to builder: hyperparameters, shape of an image and number of classes to a model from images to logits.
MODELS: dict[str, Callable[[Hyperparameters, ImageShape, int], nn.Module]] = {
    "cnn": cnn,
    "resnet9": resnet9,
    "resnet18": resnet18,
}


def build(hyperparameters: Hyperparameters, image_shape: ImageShape, classes: int) -> nn.Module:
    """Return the model with fresh weights, on the CPU, drawn from PyTorch's global generator.

    Raises:
        UsageError: The images are smaller than 8 pixels on a side.
    """
    if min(image_shape[1:]) < SMALLEST_SIDE:
        raise UsageError(
            f"images must be at least {SMALLEST_SIDE} x {SMALLEST_SIDE} pixels, not {image_shape[1]} x {image_shape[2]}"
        )
    return MODELS[hyperparameters.model.model](hyperparameters, image_shape, classes)


def parameter_count(model: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


class _Residual(nn.Module):
    """Layers whose input is added to their output."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        """Return images + layers(images)."""
        residual: Tensor = self.layers(images)
        return images + residual


def _conv_norm(channels_in: int, channels_out: int, *after: nn.Module) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
        *after,
    )
