"""The architectures: what of the other hyperparameters each one takes, and which images.

``tuner.training.models`` builds them; this table is what can be known without PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: Channels, height and width.
ImageShape = tuple[int, int, int]

#: Torchvision's networks halve an image five times. On images with a side below this many pixels the first two
#: halvings are left out: 32x32 ends as 4x4, not as one pixel. (vgg, whose halvings lie further apart: the last.)
FULL_STEM_SIDE = 64

#: Pretrained weights keep all five halvings, so that fewer pixels would leave nothing to see.
PRETRAINED_SMALLEST_SIDE = 32

#: Width of an attention head.
HEAD_WIDTH = 64


@dataclass(frozen=True)
class Architecture:
    """What one network is.

    Attributes:
        family: Networks of one family differ in size alone.
        smallest_side: Pixels that an image needs on each side; None where that is 2 ** depth.
        width: Default of ``width``; None where the network has none.
        depth: Default of ``depth``; None where the network has none.
        norm: Default of ``norm``; None where the norm is no choice.
        norm_channels: The largest number that divides the channels of every norm; None where that is ``width``.
        weights_side: Side of the images that its pretrained weights were trained on; None where there are none.
        feature_maps: Whether there are feature maps [B, C, H, W], which ``dropout_conv`` needs.
        branches: Whether there are residual branches, which ``drop_path`` needs.
    """

    family: str
    smallest_side: int | None
    width: int | None = None
    depth: int | None = None
    norm: str | None = "batch"
    norm_channels: int | None = None
    weights_side: int | None = None
    feature_maps: bool = True
    branches: bool = False


def _published(
    family: str,
    members: dict[str, int | None],
    *,
    smallest_side: int = 8,
    sides: Iterable[int] = (),
    norm: str | None = "batch",
    branches: bool = False,
) -> dict[str, Architecture]:
    """Return torchvision's members of a family, given by name and ``norm_channels``."""
    weights_sides = list(sides) or [224] * len(members)
    return {
        name: Architecture(
            family, smallest_side, norm=norm, norm_channels=channels, weights_side=side, branches=branches
        )
        for (name, channels), side in zip(members.items(), weights_sides, strict=True)
    }


#: Name to architecture.
ARCHITECTURES: dict[str, Architecture] = {
    "mlp": Architecture("mlp", 1, width=512, depth=2, norm=None, feature_maps=False),
    "cnn": Architecture("cnn", None, width=32, depth=2, norm="none"),
    "resnet9": Architecture("resnet9", 8, width=64, branches=True),
    "vit_small": Architecture("vit", 4, width=384, depth=12, norm=None, feature_maps=False, branches=True),
    **_published(
        "resnet", dict.fromkeys(["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"], 64), branches=True
    ),
    **_published("resnet", dict.fromkeys(["wide_resnet50_2", "wide_resnet101_2"], 64), branches=True),
    **_published(
        "resnet", dict.fromkeys(["resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d"], 64), branches=True
    ),
    **_published("vgg", dict.fromkeys(["vgg11", "vgg13", "vgg16", "vgg19"], 64), smallest_side=16),
    **_published("densenet", {"densenet121": 32, "densenet161": 48, "densenet169": 32, "densenet201": 32}),
    **_published(
        "mobilenet", dict.fromkeys(["mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"], 8), branches=True
    ),
    **_published(
        "efficientnet",
        {f"efficientnet_b{size}": 16 if size == 7 else 8 for size in range(8)},
        sides=(224, 240, 288, 300, 380, 456, 528, 600),
        branches=True,
    ),
    **_published(
        "efficientnet",
        {"efficientnet_v2_s": 8, "efficientnet_v2_m": 8, "efficientnet_v2_l": 32},
        sides=(384, 480, 480),
        branches=True,
    ),
    **_published(
        "regnet",
        {"regnet_x_400mf": 16, "regnet_x_800mf": 32, "regnet_x_1_6gf": 8, "regnet_x_3_2gf": 16, "regnet_x_8gf": 16},
        branches=True,
    ),
    **_published(
        "regnet",
        {"regnet_y_400mf": 8, "regnet_y_800mf": 16, "regnet_y_1_6gf": 8, "regnet_y_3_2gf": 8, "regnet_y_8gf": 32},
        branches=True,
    ),
    **_published(
        "shufflenet",
        {"shufflenet_v2_x0_5": 8, "shufflenet_v2_x1_0": 2, "shufflenet_v2_x1_5": 8, "shufflenet_v2_x2_0": 2},
    ),
    **_published(
        "convnext",
        dict.fromkeys(["convnext_tiny", "convnext_small", "convnext_base", "convnext_large"]),
        norm=None,
        branches=True,
    ),
}


def norm_channels(model: str, width: int | None) -> int | None:
    """Return the largest number that divides the channels of every norm; None where the norm is no choice.

    Args:
        model: A name in ``ARCHITECTURES``.
        width: The value of ``width``; None where it does not apply.
    """
    architecture = ARCHITECTURES[model]
    return None if architecture.norm is None else architecture.norm_channels or width


def image_problem(config: Mapping[str, Any], image_shape: ImageShape) -> str | None:
    """Return why a configuration cannot train on images, as one sentence; None if it can.

    Args:
        config: ``model`` and ``pretrained``; ``depth``, ``norm``, ``normalize`` and ``image_size`` where they apply.
        image_shape: Of the data set's images.
    """
    channels, height, width = image_shape
    size = config.get("image_size")
    if size is not None:
        height = width = size
    if config["pretrained"] and channels != 3:
        return f"pretrained weights of {config['model']} need images of 3 channels, not {channels}"
    if config.get("normalize") == "pretrained" and channels != 3:
        return f"normalize: pretrained needs images of 3 channels, not {channels}"
    name, smallest = _smallest_side(config)
    if min(height, width) < smallest:
        return f"{name} needs images of at least {smallest} x {smallest} pixels, not {height} x {width}"
    return None


def _smallest_side(config: Mapping[str, Any]) -> tuple[str, int]:
    """Return what to call a network, and how many pixels its images need on each side."""
    name, side = config["model"], ARCHITECTURES[config["model"]].smallest_side
    if config["pretrained"]:
        return f"pretrained {name}", PRETRAINED_SMALLEST_SIDE
    if side is None:
        return f"{name} of depth {config['depth']}", 2 ** config["depth"]
    if config.get("norm") == "instance":  # the mean of a single pixel is that pixel
        return f"{name} with instance norm", 2 * side
    return name, side
