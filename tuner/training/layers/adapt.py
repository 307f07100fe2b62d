"""From the network as its builder made it to what the hyperparameters say."""

from __future__ import annotations

from torch import nn

from tuner.hyperparameters.table import Hyperparameters
from tuner.training.layers.activations import set_activation
from tuner.training.layers.drop_path import set_drop_path
from tuner.training.layers.dropouts import fill_sites
from tuner.training.layers.initialization import initialize
from tuner.training.layers.norms import set_norm


def adapt(model: nn.Module, hyperparameters: Hyperparameters) -> nn.Module:
    """Change a network in place, and return it: norms, activations, weights, dropout, drop path.

    In this order, since the weights depend on the activation, and both must meet plain layers. A pretrained network
    keeps its norms, activations and weights.

    Args:
        model: Of plain PyTorch modules, such as ``nn.BatchNorm2d`` and ``nn.ReLU``, and the marks of ``sites``.
        hyperparameters: What it is to become.

    Raises:
        UsageError: ``norm_groups`` does not divide the channels of a norm.
    """
    settings = hyperparameters.model
    if not settings.pretrained:
        set_norm(model, settings)
        set_activation(model, settings.activation)
        initialize(model, settings)
    fill_sites(model, hyperparameters.dropout)
    set_drop_path(model, hyperparameters.dropout.drop_path)
    return model
