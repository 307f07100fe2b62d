"""Torchvision's networks, fitted to small images or to their pretrained weights, with a new head."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import torchvision
from torch import nn
from torchvision.models.vgg import cfgs, make_layers

from tuner.hyperparameters.architectures import ARCHITECTURES, FULL_STEM_SIDE, ImageShape
from tuner.hyperparameters.table import Hyperparameters
from tuner.training.layers.sites import MapSite, UnitSite
from tuner.training.models.families import FAMILIES
from tuner.training.models.head import Head
from tuner.training.models.pretrained import load_body, torchvision_name

_VGG_LAYERS = {"vgg11": "A", "vgg13": "B", "vgg16": "D", "vgg19": "E"}


def published(
    hyperparameters: Hyperparameters, image_shape: ImageShape, classes: int, weights: Path | None
) -> nn.Module:
    """Return one of torchvision's networks.

    Args:
        hyperparameters: Which one, and whether it is pretrained.
        image_shape: Of an image.
        classes: Number of logits.
        weights: The file of a pretrained network's weights; None leaves it with random ones.
    """
    name = hyperparameters.model.model
    family = FAMILIES[ARCHITECTURES[name].family]
    if hyperparameters.model.pretrained:
        model = torchvision.models.get_model(torchvision_name(name), weights=None)
        if weights is not None:
            load_body(model, name, weights)
    else:
        model = _vgg(name, image_shape) if name in _VGG_LAYERS else torchvision.models.get_model(name, weights=None)
        _fit_stem(model, image_shape, family.second_halving)
    _replace_dropout_and_head(model, classes)
    return family.mark(model)


def _vgg(name: str, image_shape: ImageShape) -> nn.Module:
    """Return torchvision's convolutions without its head of 120 million weights, whose drawing alone takes seconds."""
    features = make_layers(cfgs[_VGG_LAYERS[name]], batch_norm=True)
    for layer in features:
        if isinstance(layer, nn.Conv2d):
            _initialize(layer)
    if _is_small(image_shape):  # the last pooling would leave nothing of 28x28
        features[-1] = MapSite()
    return nn.Sequential(
        OrderedDict(features=features, pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten(), classifier=nn.Linear(512, 1))
    )


def _fit_stem(model: nn.Module, image_shape: ImageShape, second_halving: int) -> None:
    """Give the first convolution the images' channels and, for small images, leave the first two halvings out."""
    small = _is_small(image_shape)
    (name, stem), *rest = (item for item in model.named_modules() if isinstance(item[1], nn.Conv2d | nn.MaxPool2d))
    assert isinstance(stem, nn.Conv2d)
    if small or image_shape[0] != stem.in_channels:
        model.set_submodule(name, _stem(stem, image_shape[0], small))
    if small:
        strided = [(name, layer) for name, layer in rest if layer.stride not in (1, (1, 1))]
        for name, layer in strided[:second_halving]:
            if isinstance(layer, nn.Conv2d):
                layer.stride = (1, 1)
            else:
                model.set_submodule(name, nn.Identity())


def _stem(theirs: nn.Conv2d, channels: int, small: bool) -> nn.Conv2d:
    kernel, stride = (3, 1) if small else (theirs.kernel_size[0], theirs.stride[0])
    padding = kernel // 2 if stride < kernel else 0
    bias = theirs.bias is not None
    return _initialize(nn.Conv2d(channels, theirs.out_channels, kernel, stride, padding, bias=bias))


def _initialize(layer: nn.Conv2d) -> nn.Conv2d:
    """Draw a convolution's weights as torchvision does in most of its networks (He et al. 2015)."""
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _is_small(image_shape: ImageShape) -> bool:
    return min(image_shape[1:]) < FULL_STEM_SIDE


def _replace_dropout_and_head(model: nn.Module, classes: int) -> None:
    """Put a ``Head`` in the place of the last linear layer, which brings the site that dropout before it becomes."""
    name, last = [item for item in model.named_modules() if isinstance(item[1], nn.Linear)][-1]
    dropouts = [name for name, module in model.named_modules() if isinstance(module, nn.Dropout)]
    for index, path in enumerate(reversed(dropouts)):
        model.set_submodule(path, UnitSite() if index > 0 else nn.Identity())
    model.set_submodule(name, Head(last.in_features, classes))
