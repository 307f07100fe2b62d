"""Torchvision's families: where each one ends a stage and a residual branch, and its halvings beside the stem's."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn
from torchvision.models import densenet, efficientnet, mobilenetv2, mobilenetv3, regnet, resnet
from torchvision.models.convnext import CNBlock
from torchvision.ops import StochasticDepth

from tuner.training.layers.sites import BranchSite, MapSite


@dataclass(frozen=True)
class Family:
    """What is the same for all members of a family.

    Attributes:
        mark: Puts ``MapSite`` and ``BranchSite`` into a network and returns it. Names of parameters stay, but for
            resnet's last norm of a branch.
        second_halving: How many layers with a stride follow the stem's and halve the image once more, together.
    """

    mark: Callable[[nn.Module], nn.Module]
    second_halving: int = 1


def _resnet(model: nn.Module) -> nn.Module:
    for module in list(model.modules()):
        if isinstance(module, resnet.BasicBlock):
            module.bn2 = nn.Sequential(module.bn2, BranchSite())
        elif isinstance(module, resnet.Bottleneck):
            module.bn3 = nn.Sequential(module.bn3, BranchSite())
    for name in ("layer1", "layer2", "layer3", "layer4"):
        _after(model.get_submodule(name))
    return model


def _vgg(model: nn.Module) -> nn.Module:
    """Also puts pooling before the activation, which then has a quarter of the work (see cnn)."""
    features = model.get_submodule("features")
    assert isinstance(features, nn.Sequential)
    for index, layer in enumerate(features):
        if isinstance(layer, nn.MaxPool2d):
            activation = features[index - 1]
            features[index - 1] = layer
            features[index] = nn.Sequential(activation, MapSite())
    return model


def _densenet(model: nn.Module) -> nn.Module:
    """Also makes modules of what follows the features, whose relu torchvision keeps in ``forward``."""
    assert isinstance(model, densenet.DenseNet)
    for module in model.modules():
        if isinstance(module, densenet._Transition):
            module.append(MapSite())
    return nn.Sequential(
        OrderedDict(
            features=model.features,
            relu=nn.ReLU(inplace=True),
            site=MapSite(),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            classifier=model.classifier,
        )
    )


def _mobilenet(model: nn.Module) -> nn.Module:
    """A stage begins with a block that has no shortcut, because it changes the shape."""
    for module in model.modules():
        if isinstance(module, mobilenetv2.InvertedResidual):
            module.conv.append(BranchSite() if module.use_res_connect else MapSite())
        elif isinstance(module, mobilenetv3.InvertedResidual):
            module.block.append(BranchSite() if module.use_res_connect else MapSite())
    _after(list(model.get_submodule("features").children())[-1])
    return model


def _efficientnet(model: nn.Module) -> nn.Module:
    for module in model.modules():
        if isinstance(module, efficientnet.MBConv | efficientnet.FusedMBConv):
            module.stochastic_depth = BranchSite() if module.use_res_connect else nn.Identity()
            if not module.use_res_connect:
                module.block.append(MapSite())
    _after(list(model.get_submodule("features").children())[-1])
    return model


def _regnet(model: nn.Module) -> nn.Module:
    for module in model.modules():
        if isinstance(module, regnet.ResBottleneckBlock):
            module.f.append(BranchSite())
        elif isinstance(module, regnet.AnyStage):
            module.append(MapSite())
    return model


def _shufflenet(model: nn.Module) -> nn.Module:
    for name in ("stage2", "stage3", "stage4", "conv5"):
        _after(model.get_submodule(name))
    return model


def _convnext(model: nn.Module) -> nn.Module:
    features = model.get_submodule("features")
    for stage in features.children():
        if isinstance(stage, nn.Sequential) and isinstance(stage[0], CNBlock):
            for block in stage:
                assert isinstance(block.stochastic_depth, StochasticDepth)
                block.stochastic_depth = BranchSite()
            _after(stage)
    return model


def _after(stage: nn.Module) -> None:
    assert isinstance(stage, nn.Sequential)
    stage.append(MapSite())


#: Name of a family, as in ``tuner.hyperparameters.architectures``, to what is its own.
FAMILIES: dict[str, Family] = {
    "resnet": Family(_resnet),
    "vgg": Family(_vgg, second_halving=0),  # its stem does not halve
    "densenet": Family(_densenet),
    "mobilenet": Family(_mobilenet),
    "efficientnet": Family(_efficientnet),
    "regnet": Family(_regnet, second_halving=2),  # the block's convolution and its shortcut's
    "shufflenet": Family(_shufflenet),
    "convnext": Family(_convnext, second_halving=0),  # the stem halves twice
}
