"""Dropping square regions of feature maps: Ghiasi, Lin and Le 2018, "DropBlock"."""

from __future__ import annotations

import math
from collections import Counter
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional


class DropBlock(nn.Module):
    """Zeroes square regions of each feature map [B, C, H, W], each map for itself, and scales up what is left.

    ``p`` is the expected share of zeroed positions. Kept ones are multiplied by all / kept, counted over the batch.
    A block is never larger than the map. Identity in evaluation.
    """

    def __init__(self, p: float, block_size: int) -> None:
        super().__init__()
        self.p = p
        self.block_size = block_size

    def forward(self, maps: Tensor) -> Tensor:
        """Return the maps without the blocks, in training."""
        if not self.training:
            return maps
        images, channels, height, width = maps.shape
        side = min(self.block_size, height, width)
        # A seed is the upper left corner of a block that lies wholly inside the map.
        seeds = maps.new_empty((images, channels, height - side + 1, width - side + 1), dtype=torch.float32)
        seeds.bernoulli_(_seed_rate(self.p, side, height, width))
        blocks = functional.max_pool2d(functional.pad(seeds, [side - 1] * 4), side, stride=1)
        kept = 1 - blocks
        scale = kept.numel() / kept.sum().clamp(min=1)
        return maps * (kept * scale).to(maps.dtype)

    def extra_repr(self) -> str:
        """Return the settings, for ``print(model)``."""
        return f"p={self.p}, block_size={self.block_size}"


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _seed_rate(p: float, side: int, height: int, width: int) -> float:
    # Compilers look into what is cached, but not into what they are told to take for a constant.
    return seed_rate(p, side, height, width)


@cache
def seed_rate(p: float, side: int, height: int, width: int) -> float:
    """Return the probability of a seed, gamma, with which a share ``p`` of all positions is dropped.

    The paper's gamma = p / side^2 * H W / ((H - side + 1)(W - side + 1)) counts overlapping blocks twice and so drops
    less than p, at p = 1 not everything. Here the expected share is solved for; for small p it is the paper's gamma.

    Args:
        p: Share to drop, 0 to 1.
        side: Of the square block, at most ``height`` and ``width``.
        height: Of the map.
        width: Of the map.
    """
    if p == 1:
        return 1.0  # the halvings below only come close
    # A position is dropped by each seed whose block covers it; those near a border are covered by fewer.
    covers = Counter(rows * columns for rows in _covering(side, height) for columns in _covering(side, width))
    positions = height * width
    low = p / side**2 * positions / ((height - side + 1) * (width - side + 1))
    high = 1.0
    for _ in range(50):  # halvings, down to the precision of a float
        middle = (low + high) / 2
        dropped = sum(-count * math.expm1(seeds * math.log1p(-middle)) for seeds, count in covers.items())
        low, high = (middle, high) if dropped < p * positions else (low, middle)
    return high


def _covering(side: int, length: int) -> list[int]:
    """Return for each position on a line how many segments of ``side`` positions inside the line cover it."""
    return [min(at, length - side) - max(0, at - side + 1) + 1 for at in range(length)]
