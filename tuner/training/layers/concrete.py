"""Dropout that learns its rates: Gal, Hron and Kendall 2017, "Concrete Dropout"."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from tuner.training.layers.walk import next_layers

TEMPERATURE = 0.1  # the paper's
_TINY = 1e-7  # keeps the logarithm of a uniform draw finite, as in the authors' code


class ConcreteDropout(nn.Module):
    """Drops units [B, ..., features], or whole maps of [B, C, H, W], with a probability that is learned as a logit.

    In training a unit is dropped by the share z = sigmoid((logit(p) + logit(u)) / temperature) with u uniform on
    (0, 1), a smooth stand-in for a draw of Bernoulli(p), and what is kept is divided by 1 - p. Identity in evaluation.
    ``concrete_penalty`` belongs to it: without, p would fall to zero.
    """

    def __init__(self, p: float, *, whole_maps: bool) -> None:
        """Args: p: Rate at the start, above 0 and below 1. whole_maps: Whether it stands at feature maps."""
        super().__init__()
        self.p_logit = nn.Parameter(torch.full((1,), math.log(p) - math.log1p(-p)))
        self.whole_maps = whole_maps
        self.features = 0  # units or maps of an image, known from the first batch on

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the inputs without what is dropped, in training."""
        if not self.training:
            return inputs
        self.features = inputs.shape[1 if self.whole_maps else -1]
        shape = (*inputs.shape[:2], 1, 1) if self.whole_maps else inputs.shape
        uniform = torch.rand(shape, device=inputs.device)
        noise = (uniform + _TINY).log() - (1 - uniform + _TINY).log()
        kept = torch.sigmoid(-(self.p_logit + noise) / TEMPERATURE)
        return inputs * (kept * _inverse_of_kept(self.p_logit)).to(inputs.dtype)


def concrete_penalty(model: nn.Module, images: int) -> Tensor:
    """Return what the loss, a mean over images, adds for the learned rates, []; zero where there are none.

    The divergence of the weights from N(0, 1), their prior, for the layer behind each site, divided by the number of
    training images (equations 3 and 4 of the paper with length scale 1; since kept units are divided by 1 - p here, the
    paper's M is our M / (1 - p)):

        (||M||^2 / (2 (1 - p)) - K H(p)) / images,  H(p) = -p log p - (1 - p) log(1 - p),  K units or maps.

    Call it after a forward pass in training mode: before the first, K is taken for 0.

    Args:
        model: The network, with or without ``ConcreteDropout``.
        images: Images of the training set.
    """
    total = next(model.parameters()).new_zeros(1)
    for site, layer in next_layers(model, ConcreteDropout).items():
        p = site.p_logit.sigmoid()
        entropy = -p * functional.logsigmoid(site.p_logit) - (1 - p) * functional.logsigmoid(-site.p_logit)
        norm = layer.weight.square().sum()
        total = total + norm * _inverse_of_kept(site.p_logit) / 2 - site.features * entropy
    return (total / images).squeeze()


def concrete_rates(model: nn.Module) -> dict[str, float]:
    """Return module name to learned rate. Waits for the device, once."""
    sites = {name: module for name, module in model.named_modules() if isinstance(module, ConcreteDropout)}
    if not sites:
        return {}
    rates = torch.cat([site.p_logit for site in sites.values()]).sigmoid()
    return dict(zip(sites, rates.tolist(), strict=True))


def _inverse_of_kept(p_logit: Tensor) -> Tensor:
    """Return 1 / (1 - p)."""
    return 1 + p_logit.exp()
