"""How gradients become steps.

A step can be called off on the device without waiting for it (``found_inf``, which PyTorch's own gradient scaler
relies upon; see ``steps``): by PyTorch's fused optimizers, and by an ``RMSprop`` of our own, since it has no fused one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn, optim

from tuner.hyperparameters.optimizer import Optimizer
from tuner.hyperparameters.penalties import Penalties
from tuner.training.models import finetuning
from tuner.training.parameters import penalized
from tuner.training.rmsprop import RMSprop

ParameterGroups = list[dict[str, Any]]


def sgd(settings: Optimizer, groups: ParameterGroups) -> optim.Optimizer:
    """torch.optim.SGD."""
    # Nesterov's form is undefined without momentum, and PyTorch refuses it.
    nesterov = settings.nesterov and settings.momentum > 0
    optimizer = optim.SGD(groups, lr=settings.lr, momentum=settings.momentum, nesterov=nesterov, fused=True)
    if settings.momentum > 0:
        # PyTorch makes buffers in the first step, and leaves them unwritten memory where that is called off.
        for parameter in (item for group in groups for item in group["params"]):
            optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimizer


def adam(settings: Optimizer, groups: ParameterGroups) -> optim.Optimizer:
    """torch.optim.Adam: eps outside the root (Kingma and Ba 2015), weight decay in the gradient."""
    return optim.Adam(groups, lr=settings.lr, betas=(settings.beta1, settings.beta2), eps=settings.eps, fused=True)


def adamw(settings: Optimizer, groups: ParameterGroups) -> optim.Optimizer:
    """torch.optim.AdamW: Adam with decoupled weight decay."""
    return optim.AdamW(groups, lr=settings.lr, betas=(settings.beta1, settings.beta2), eps=settings.eps, fused=True)


def rmsprop(settings: Optimizer, groups: ParameterGroups) -> optim.Optimizer:
    """torch.optim.RMSprop: eps outside the root."""
    return RMSprop(
        groups,
        lr=settings.lr,
        alpha=settings.alpha,
        eps=settings.eps,
        momentum=settings.momentum,
        centered=settings.centered,
    )


OPTIMIZERS: dict[str, Callable[[Optimizer, ParameterGroups], optim.Optimizer]] = {
    "sgd": sgd,
    "adam": adam,
    "adamw": adamw,
    "rmsprop": rmsprop,
}


def build(settings: Optimizer, penalties: Penalties, model: nn.Module) -> optim.Optimizer:
    """Return the optimizer over the groups of ``parameter_groups``."""
    return OPTIMIZERS[settings.optimizer](settings, parameter_groups(settings, penalties, model))


def parameter_groups(settings: Optimizer, penalties: Penalties, model: nn.Module) -> ParameterGroups:
    """Split the trainable parameters into those that decay and those that do not.

    With ``lr_backbone`` each of the two is split once more, and the head's come first: what schedules report is their
    learning rate.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    decaying = set(penalized(penalties, model))
    groups: ParameterGroups = [
        {"params": [item for item in trained if item in decaying], "weight_decay": penalties.weight_decay},
        {"params": [item for item in trained if item not in decaying], "weight_decay": 0.0},
    ]
    if settings.lr_backbone is not None:
        head = set(finetuning.head_parameters(model))
        groups = [
            {**group, "params": [item for item in group["params"] if (item in head) == of_head], "lr": lr}
            for of_head, lr in ((True, settings.lr), (False, settings.lr_backbone))
            for group in groups
        ]
    return [group for group in groups if group["params"]]
