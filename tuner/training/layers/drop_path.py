"""Stochastic depth: Huang et al. 2016, "Deep Networks with Stochastic Depth"."""

from __future__ import annotations

from torch import nn
from torchvision.ops import StochasticDepth

from tuner.training.layers.sites import BranchSite
from tuner.training.layers.walk import replace


def set_drop_path(model: nn.Module, last_rate: float) -> None:
    """Drop residual branches, for each image by itself; what is kept is divided by 1 - p.

    Branch l of L is dropped with p = last_rate l / L, the paper's linear decay of the survival probability, by
    torchvision's module, which is an identity in evaluation. Modules that torchvision's own networks bring count as
    branches and get new rates, so that 0 means no stochastic depth in every network.

    Args:
        model: The network.
        last_rate: Probability of dropping the last branch.
    """
    if last_rate > 0:
        replace(model, BranchSite, lambda _: StochasticDepth(last_rate, "row"))
    branches = [module for module in model.modules() if isinstance(module, StochasticDepth)]
    for number, branch in enumerate(branches, 1):
        branch.p = last_rate * number / len(branches)
