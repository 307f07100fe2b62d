"""Dropping weights instead of activations: Wan et al. 2013, "Regularization of Neural Networks using DropConnect"."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from tuner.training.layers.walk import Layer, next_layers, replace


class DropConnectLinear(nn.Linear):
    """A fully connected layer that drops each weight with probability ``p``; biases stay. Plain in evaluation.

    One mask serves the batch; the paper draws one for each image, which needs a weight matrix for each.
    """

    p: float

    def forward(self, input: Tensor) -> Tensor:
        """Return [..., out_features] of [..., in_features]."""
        return functional.linear(input, functional.dropout(self.weight, self.p, self.training), self.bias)


class DropConnectConv2d(nn.Conv2d):
    """A convolution that drops each weight with probability ``p``, as ``DropConnectLinear`` does."""

    p: float

    def forward(self, input: Tensor) -> Tensor:
        """Return [B, out_channels, H', W'] of [B, in_channels, H, W]."""
        maps: Tensor = self._conv_forward(input, functional.dropout(self.weight, self.p, self.training), self.bias)
        return maps


def drop_weights(model: nn.Module, site: type[nn.Module], layer: type[Layer], p: float) -> None:
    """Drop weights of the layers that come next after the sites of a kind.

    Parameters keep their names and values, so that the state fits a model without dropout.
    """
    chosen = set(next_layers(model, site, layer).values())
    replace(model, layer, lambda found: _dropping(found, p) if found in chosen else found)


def _dropping(layer: Layer, p: float) -> nn.Module:
    dropping: DropConnectLinear | DropConnectConv2d
    if isinstance(layer, nn.Linear):
        # On the meta device no weights are drawn, which the lines below replace.
        dropping = DropConnectLinear(layer.in_features, layer.out_features, layer.bias is not None, device="meta")
    else:
        dropping = DropConnectConv2d(
            layer.in_channels,
            layer.out_channels,
            layer.kernel_size,  # type: ignore[arg-type]
            layer.stride,  # type: ignore[arg-type]
            layer.padding,  # type: ignore[arg-type]
            layer.dilation,  # type: ignore[arg-type]
            layer.groups,
            layer.bias is not None,
            layer.padding_mode,
            device="meta",
        )
    dropping.weight, dropping.bias, dropping.p = layer.weight, layer.bias, p
    return dropping
