"""The hyperparameters of the network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuner.facts.fields import Rule
from tuner.hyperparameters.architectures import ARCHITECTURES, HEAD_WIDTH, norm_channels
from tuner.hyperparameters.declare import boolean, choice, integer, real

NORMS = ("batch", "layer", "group", "instance", "rms", "none")
ACTIVATIONS = ("relu", "leaky_relu", "prelu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid")
INITS = (
    *("xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "lecun_normal"),
    *("orthogonal", "trunc_normal", "zeros", "uniform"),
)

_FRESH = {"pretrained": (False,)}
_GROUPS = 32


def _having(attribute: str) -> tuple[str, ...]:
    return tuple(name for name, item in ARCHITECTURES.items() if getattr(item, attribute) is not None)


def _own(attribute: str, default: object) -> Mapping[str, Mapping[str, Any]]:
    """Return the architectures' own defaults where they differ."""
    values = {name: getattr(ARCHITECTURES[name], attribute) for name in _having(attribute)}
    return {"model": {name: value for name, value in values.items() if value != default}}


def _has_weights(config: Mapping[str, Any]) -> bool:
    return not config["pretrained"] or ARCHITECTURES[config["model"]].weights_side is not None


def _backbone_is_fixed(config: Mapping[str, Any]) -> bool:
    return not config["freeze_backbone"] or config.get("dropout_conv", 0) == config.get("drop_path", 0) == 0


def _heads_fit(config: Mapping[str, Any]) -> bool:
    width: int = config["width"]
    return config["model"] != "vit_small" or width % HEAD_WIDTH == 0


def _groups_divide(config: Mapping[str, Any]) -> bool:
    channels, groups = norm_channels(config["model"], config.get("width")), int(config["norm_groups"])
    return channels is None or channels % groups == 0


def _most_groups(model: str) -> int:
    """Return the most groups, ``_GROUPS`` or fewer, that an architecture of its default width takes."""
    return math.gcd(_GROUPS, norm_channels(model, ARCHITECTURES[model].width) or _GROUPS)


_NORMED = {"model": _having("norm"), **_FRESH}


@dataclass(frozen=True, kw_only=True)
class Model:
    """The network."""

    model: str = choice(
        "resnet18",
        tuple(ARCHITECTURES),
        "The network; the table above says what applies to which.",
        source="cnn: conv 32, conv 64, fc 256; resnet9: Page 2019 (DAWNBench); vit_small: Beyer et al. 2022; "
        "vgg: torchvision's with batch norm (vgg16_bn); the others: torchvision.models of the same name",
    )
    pretrained: bool = boolean(
        False,
        "Begin with torchvision's weights, trained on ImageNet; a new last layer replaces theirs. Images must have 3 "
        "channels.",
        source="torchvision.models, the weights called DEFAULT",
        rules=(
            Rule(
                says="pretrained needs published weights, which "
                + ", ".join(name for name, item in ARCHITECTURES.items() if item.weights_side is None)
                + " do not have",
                names=frozenset({"model", "pretrained"}),
                test=_has_weights,
            ),
        ),
    )
    freeze_backbone: bool = boolean(
        False,
        "Train the last layer alone. All before it is as in evaluation: norms keep the statistics that came with the "
        "weights, and nothing is dropped but by dropout right before the last layer.",
        applies={"pretrained": (True,)},
        rules=(
            Rule(
                says="with freeze_backbone nothing is dropped in feature maps and branches: dropout_conv and drop_path "
                "must be 0",
                names=frozenset({"freeze_backbone"}),
                reads=frozenset({"dropout_conv", "drop_path"}),
                test=_backbone_is_fixed,
            ),
        ),
    )
    width: int = integer(
        64,
        "mlp: units of a hidden layer. cnn, resnet9: channels of the first stage; the later stages are multiples of "
        "it. vit_small: length of a token.",
        minimum=1,
        maximum=4096,
        applies={"model": _having("width")},
        default_by=_own("width", 64),
        rules=(
            Rule(
                says=f"width must be a multiple of {HEAD_WIDTH}, the width of an attention head, for vit_small",
                names=frozenset({"model", "width"}),
                test=_heads_fit,
            ),
        ),
    )
    depth: int = integer(
        2,
        "mlp: hidden layers. cnn: convolutions, each with twice the channels and half the side of the one before. "
        "vit_small: transformer blocks.",
        minimum=1,
        maximum=100,
        applies={"model": _having("depth")},
        default_by=_own("depth", 2),
    )
    norm: str = choice(
        "batch",
        NORMS,
        "What normalizes feature maps between layers; never the logits. batch: each channel over images and pixels; "
        "layer: each image over channels and pixels; group: each group of channels of an image over its pixels; "
        "instance: each channel of an image over its pixels; rms: each pixel over channels, without a mean.",
        applies=_NORMED,
        default_by=_own("norm", "batch"),
        source="Ioffe and Szegedy 2015; Ba et al. 2016; Wu and He 2018; Ulyanov et al. 2016; Zhang and Sennrich 2019",
    )
    norm_groups: int = integer(
        _GROUPS,
        "Groups of channels that group norm normalizes together; they must divide the channels of every norm.",
        unit="groups",
        minimum=1,
        maximum=4096,
        applies={**_NORMED, "norm": ("group",)},
        default_by={"model": {name: _most_groups(name) for name in ARCHITECTURES if _most_groups(name) != _GROUPS}},
        rules=(
            Rule(
                says="norm_groups must divide the channels of every norm, which are multiples of what the table of "
                "models in docs/training.md says",
                names=frozenset({"model", "norm_groups"}),
                reads=frozenset({"width"}),
                test=_groups_divide,
            ),
        ),
        source="torch.nn.GroupNorm's num_groups",
    )
    norm_momentum: float = real(
        0.1,
        "Share of the newest batch in the running statistics of batch norm.",
        minimum=0,
        above=True,
        maximum=1,
        applies={**_NORMED, "norm": ("batch",)},
        source="torch.nn.BatchNorm2d's momentum",
    )
    activation: str = choice(
        "default",
        ("default", *ACTIVATIONS),
        "The function between layers; default is the architecture's own, mostly relu.",
        applies=_FRESH,
        source="torch.nn",
    )
    init: str = choice(
        "default",
        ("default", *INITS),
        "Initial weights of convolutions and linear layers, with biases of zero; default is the architecture's own. "
        "xavier, kaiming and orthogonal have the gain of the activation; lecun_normal has the variance 1/fan_in, "
        "trunc_normal the standard deviation 0.02, uniform the bounds -0.05 and 0.05; zeros never learns more than the "
        "last bias.",
        applies=_FRESH,
        source="torch.nn.init; Glorot and Bengio 2010; He et al. 2015; LeCun et al. 1998 for variance 1/fan_in",
    )
    init_mode: str = choice(
        "fan_in",
        ("fan_in", "fan_out"),
        "Whether kaiming keeps the variance of the activations (fan_in) or of the gradients (fan_out).",
        applies={**_FRESH, "init": ("kaiming_uniform", "kaiming_normal")},
        source="torch.nn.init.kaiming_normal_'s mode",
    )
