"""Small networks as builders leave them: plain modules, and marks where dropout may go."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tuner.hyperparameters.table import resolve
from tuner.training.layers.adapt import adapt
from tuner.training.layers.sites import BranchSite, MapSite, UnitSite

CLASSES = 3


class Block(nn.Module):
    """A residual block of two convolutions, whose activation module is used twice."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        self.conv2, self.bn2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.drop = BranchSite()

    def forward(self, maps: Tensor) -> Tensor:
        residual = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(maps)))))
        return self.relu(maps + self.drop(residual))


def network(seed: int = 0, channels: int = 8) -> nn.Sequential:
    """Images [B, 3, H, W] to logits, with three sites for maps, three for branches and two for units."""
    torch.manual_seed(seed)
    return nn.Sequential(
        *(nn.Conv2d(3, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True), MapSite()),
        *(Block(channels), Block(channels), MapSite(), Block(channels), MapSite()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        *(UnitSite(), nn.Linear(channels, 10), nn.ReLU(inplace=True)),
        *(UnitSite(), nn.Linear(10, CLASSES)),
    )


def adapted(seed: int = 0, **config: object) -> nn.Module:
    return adapt(network(seed), resolve(config))


def images(count: int = 4, side: int = 12, seed: int = 1) -> Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


def kinds(model: nn.Module, kind: type[nn.Module]) -> list[nn.Module]:
    return [module for module in model.modules() if isinstance(module, kind)]
