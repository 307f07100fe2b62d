"""The hyperparameters of dropout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuner.facts.fields import Rule
from tuner.hyperparameters.architectures import ARCHITECTURES
from tuner.hyperparameters.declare import choice, integer, real

_OF_MAPS = ("spatial", "dropblock")


def _has_what_is_dropped(config: Mapping[str, Any]) -> bool:
    return config["dropout_kind"] not in _OF_MAPS or ARCHITECTURES[config["model"]].feature_maps


def _can_learn(config: Mapping[str, Any]) -> bool:
    highest: float = max(config["dropout"], config.get("dropout_conv", 0))
    return config["dropout_kind"] != "concrete" or highest < 1


@dataclass(frozen=True, kw_only=True)
class Dropout:
    """Random removal of activations, weights or residual branches, in training alone. What is kept is scaled up."""

    dropout: float = real(
        0.0,
        "Probability of dropping before the last layer; in mlp, vit_small and pretrained vgg also between the fully "
        "connected layers before it.",
        minimum=0,
        maximum=1,
        source="Srivastava et al. 2014, inverted: what is kept is divided by 1 - p",
    )
    dropout_conv: float = real(
        0.0,
        "Probability of dropping in the feature maps, after each stage of the network.",
        minimum=0,
        maximum=1,
        applies={"model": tuple(name for name, item in ARCHITECTURES.items() if item.feature_maps)},
        source="as `dropout`",
    )
    dropout_kind: str = choice(
        "standard",
        ("standard", "spatial", "dropblock", "dropconnect", "concrete"),
        "What is dropped where a rate is above 0. standard: single activations; spatial: whole feature maps; "
        "dropblock: squares of feature maps; dropconnect: weights of the layer that comes next; concrete: single units "
        "and whole feature maps, with rates that are learned for each layer from the given one on. With spatial and "
        "dropblock the fully connected part has standard dropout.",
        rules=(
            Rule(
                says="dropout_kind spatial and dropblock drop from feature maps, which "
                + " and ".join(name for name, item in ARCHITECTURES.items() if not item.feature_maps)
                + " do not have",
                names=frozenset({"model", "dropout_kind"}),
                test=_has_what_is_dropped,
            ),
            Rule(
                says="dropout_kind concrete needs dropout and dropout_conv below 1, where a rate can still be learned",
                names=frozenset({"dropout_kind", "dropout"}),
                reads=frozenset({"dropout_conv"}),
                test=_can_learn,
            ),
        ),
        source="spatial: Tompson et al. 2015 (torch.nn.Dropout2d); dropblock: Ghiasi et al. 2018; dropconnect: Wan et "
        "al. 2013; concrete: Gal, Hron and Kendall 2017",
    )
    dropblock_size: int = integer(
        7,
        "Side of the squares that dropblock drops; never larger than the map.",
        unit="positions of the feature map",
        minimum=1,
        maximum=1024,
        applies={"dropout_kind": ("dropblock",)},
        source="Ghiasi et al. 2018: 7 was best on ImageNet",
    )
    drop_path: float = real(
        0.0,
        "Probability of dropping the last residual branch, for each image by itself; it grows linearly with depth from "
        "the first branch on.",
        minimum=0,
        maximum=1,
        applies={"model": tuple(name for name, item in ARCHITECTURES.items() if item.branches)},
        source="Huang et al. 2016; torchvision.ops.StochasticDepth in mode row",
    )
