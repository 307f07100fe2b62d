"""Marks that a network's builder leaves where dropout may go; without dropout they pass everything through."""

from __future__ import annotations

from torch import nn


class UnitSite(nn.Identity):
    """Before a fully connected layer: activations [B, features]."""


class MapSite(nn.Identity):
    """After the layers of a stage: feature maps [B, C, H, W]."""


class BranchSite(nn.Identity):
    """At the end of a residual branch, before it is added: [B, ...]."""
