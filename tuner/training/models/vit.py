"""The vision transformer."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from tuner.hyperparameters.architectures import HEAD_WIDTH, ImageShape
from tuner.hyperparameters.table import Hyperparameters
from tuner.training.layers.sites import BranchSite, UnitSite
from tuner.training.models.head import Head

_LAYER_NORM_EPS = 1e-6  # as in the paper's code


def vit_small(hyperparameters: Hyperparameters, image_shape: ImageShape, classes: int) -> nn.Module:
    """The plain vision transformer of Beyer et al. 2022: fixed positions, tokens averaged, no class token.

    ``width`` 384 and ``depth`` 12 are ViT-S. Patches have a side of 4, 8 or 16 pixels, so that images of 32, 64 and
    128 pixels all give 8 x 8 of them.
    """
    width, depth = hyperparameters.model.width, hyperparameters.model.depth
    embedding = _Patches(image_shape, width)
    model = nn.Sequential(
        embedding,
        *(_Block(width) for _ in range(depth)),
        nn.LayerNorm(width, eps=_LAYER_NORM_EPS),
        _Average(),
        Head(width, classes),
    )
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    return model


def positions(height: int, width: int, features: int) -> Tensor:
    """Return sines and cosines of the rows and columns, [height * width, features]; features divide by 4.

    A quarter of the features each holds sin(x w), cos(x w), sin(y w), cos(y w) with w = 10000^(-k / (features/4 - 1)).
    """
    y, x = (
        part.flatten().unsqueeze(1) for part in torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    )
    omega = 10_000 ** -torch.linspace(0, 1, features // 4)
    return torch.cat([(x * omega).sin(), (x * omega).cos(), (y * omega).sin(), (y * omega).cos()], dim=1)


class _Patches(nn.Module):
    """Images [B, C, H, W] to tokens [B, patches, width]; images are padded to whole patches with zeros."""

    positions: Tensor

    def __init__(self, image_shape: ImageShape, width: int) -> None:
        super().__init__()
        channels, *sides = image_shape
        patch = 4 if min(sides) < 64 else 8 if min(sides) < 128 else 16
        rows, columns = (math.ceil(side / patch) for side in sides)
        self.padding = (0, columns * patch - sides[1], 0, rows * patch - sides[0])
        self.project = nn.Conv2d(channels, width, patch, stride=patch)
        self.register_buffer("positions", positions(rows, columns, width), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        patches: Tensor = self.project(functional.pad(images, self.padding))
        return patches.flatten(2).transpose(1, 2) + self.positions


class _Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = nn.Sequential(nn.LayerNorm(width, eps=_LAYER_NORM_EPS), _Attention(width), BranchSite())
        self.mlp = nn.Sequential(
            nn.LayerNorm(width, eps=_LAYER_NORM_EPS),
            nn.Linear(width, 4 * width),
            nn.GELU(),
            UnitSite(),
            nn.Linear(4 * width, width),
            BranchSite(),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attention(tokens)
        transformed: Tensor = tokens + self.mlp(tokens)
        return transformed


class _Attention(nn.Module):
    """Self-attention in heads of ``HEAD_WIDTH`` features."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = width // HEAD_WIDTH
        self.query_key_value = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        batch, count, width = tokens.shape
        parts = self.query_key_value(tokens).view(batch, count, 3, self.heads, HEAD_WIDTH)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(query, key, value)
        mixed: Tensor = self.project(attended.transpose(1, 2).reshape(batch, count, width))
        return mixed


class _Average(nn.Module):
    """Tokens [B, patches, width] to features [B, width]."""

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens.mean(1)
