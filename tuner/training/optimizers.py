"""How gradients become steps.

Every optimizer is fused, because a fused step can be called off on the device without waiting for it (``found_inf``,
which PyTorch's own gradient scaler relies upon; see ``steps``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn, optim

from tuner.hyperparameters.optimizer import Optimizer
from tuner.hyperparameters.penalties import Penalties

ParameterGroups = list[dict[str, Any]]


def sgd(settings: Optimizer, groups: ParameterGroups) -> optim.Optimizer:
    """torch.optim.SGD."""
    # Nesterov's form is undefined without momentum, and PyTorch refuses it.
    nesterov = settings.nesterov and settings.momentum > 0
    return optim.SGD(groups, lr=settings.lr, momentum=settings.momentum, nesterov=nesterov, fused=True)


def adamw(settings: Optimizer, groups: ParameterGroups) -> optim.Optimizer:
    """torch.optim.AdamW: decoupled decay, eps outside the root."""
    return optim.AdamW(groups, lr=settings.lr, betas=(settings.beta1, settings.beta2), eps=settings.eps, fused=True)


OPTIMIZERS: dict[str, Callable[[Optimizer, ParameterGroups], optim.Optimizer]] = {"sgd": sgd, "adamw": adamw}


def build(settings: Optimizer, penalties: Penalties, model: nn.Module) -> optim.Optimizer:
    """Return the optimizer over two groups: weights, which decay, and norm parameters and biases, which may not."""
    return OPTIMIZERS[settings.optimizer](settings, parameter_groups(penalties, model))


def parameter_groups(penalties: Penalties, model: nn.Module) -> ParameterGroups:
    """Split parameters by shape: weights have two or more dimensions, norm parameters and biases have one."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    rest_decay = penalties.weight_decay if penalties.decay_norms_and_biases else 0.0
    return [
        {"params": [item for item in parameters if item.ndim > 1], "weight_decay": penalties.weight_decay},
        {"params": [item for item in parameters if item.ndim <= 1], "weight_decay": rest_decay},
    ]
