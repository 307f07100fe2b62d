"""The norms of feature maps. A new one is one entry in ``NORMS`` and one test class."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from tuner.facts.errors import UsageError
from tuner.hyperparameters.model import Model
from tuner.training.layers.walk import replace

RMS_EPS = 1e-6  # torch's default is the type's own, 1.2e-7 for float32; LLaMA and ViT code use this one


class InstanceNorm(nn.GroupNorm):
    """Normalizes each map of each image by itself; the same in training and evaluation.

    Group norm with a group for each channel: the same numbers as ``nn.InstanceNorm2d``, which loses channels last.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels)

    def forward(self, input: Tensor) -> Tensor:
        """Return [B, C, H, W] of the same.

        Raises:
            UsageError: A map is a single pixel, of which nothing would be left.
        """
        if input.shape[2:].numel() == 1:
            raise UsageError("instance norm meets feature maps of one pixel: choose another norm or larger images")
        return super().forward(input)


class RMSNorm2d(nn.Module):
    """x / sqrt(mean of x^2 over channels + eps) times a weight for each channel: Zhang and Sennrich 2019 for images."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, maps: Tensor) -> Tensor:
        """Return [B, C, H, W] of the same. With channels last in memory nothing is copied."""
        weight = self.weight.to(maps.dtype)  # under autocast the kernel wants one type
        return functional.rms_norm(maps.movedim(1, -1), weight.shape, weight, RMS_EPS).movedim(-1, 1)


def _batch(norm: nn.BatchNorm2d, settings: Model) -> nn.Module:
    norm.momentum = settings.norm_momentum
    return norm


def _group(norm: nn.BatchNorm2d, settings: Model) -> nn.Module:
    if norm.num_features % settings.norm_groups:
        raise UsageError(
            f"norm_groups {settings.norm_groups} does not divide the {norm.num_features} channels of a norm"
        )
    return nn.GroupNorm(settings.norm_groups, norm.num_features)


#: Value of ``norm`` to what takes the place of a batch norm.
NORMS: dict[str, Callable[[nn.BatchNorm2d, Model], nn.Module]] = {
    "batch": _batch,
    "layer": lambda norm, settings: nn.GroupNorm(1, norm.num_features),  # layer norm over (C, H, W)
    "group": _group,
    "instance": lambda norm, settings: InstanceNorm(norm.num_features),
    "rms": lambda norm, settings: RMSNorm2d(norm.num_features),
    "none": lambda norm, settings: nn.Identity(),
}


def set_norm(model: nn.Module, settings: Model) -> None:
    """Replace each ``nn.BatchNorm2d`` of a model by the chosen norm for as many channels.

    Without norms, the convolutions that had left their bias to them get one of zeros.

    Raises:
        UsageError: ``norm_groups`` does not divide the channels of a norm.
    """
    replace(model, nn.BatchNorm2d, lambda norm: NORMS[settings.norm](norm, settings))
    if settings.norm == "none":
        for module in model.modules():
            if isinstance(module, nn.Conv2d) and module.bias is None:
                module.bias = nn.Parameter(torch.zeros(module.out_channels))
