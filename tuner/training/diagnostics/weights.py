"""What the weights of a network look like."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tuner.training.parameters import is_weight

HISTOGRAM_BINS = 20


@dataclass(frozen=True)
class WeightStatistics:
    """The elements of one tensor of weights.

    Attributes:
        mean: Their mean.
        std: Their standard deviation.
        l1: Sum of their absolute values.
        l2: Root of the sum of their squares.
        zero_share: Share of them that are exactly zero.
        edges: Borders of the histogram's bins, of equal width from the smallest to the largest; one more than bins.
        counts: How many lie in each bin; the last one holds its upper border, too.
    """

    mean: float
    std: float
    l1: float
    l2: float
    zero_share: float
    edges: tuple[float, ...]
    counts: tuple[int, ...]


@torch.no_grad()
def measure_weights(model: nn.Module) -> dict[str, WeightStatistics]:
    """Return each weight by its name; that leaves out biases, layer scales and the parameters of norms."""
    return {name: _statistics(item) for name, item in model.named_parameters() if is_weight(item)}


def _statistics(weights: Tensor) -> WeightStatistics:
    values = weights.double().flatten()
    low, high = values.aminmax()
    if low == high:  # as numpy.histogram does
        low, high = low - 0.5, high + 0.5
    edges = torch.linspace(low.item(), high.item(), HISTOGRAM_BINS + 1, dtype=torch.float64)
    counts = torch.histc(values, HISTOGRAM_BINS, low.item(), high.item())
    numbers = [
        values.mean(),
        values.std(correction=0),
        values.abs().sum(),
        values.norm(),
        (values == 0).double().mean(),
    ]
    mean, std, l1, l2, zero_share = torch.stack(numbers).tolist()
    bins = tuple(map(int, counts.tolist()))
    return WeightStatistics(mean, std, l1, l2, zero_share, edges=tuple(edges.tolist()), counts=bins)
