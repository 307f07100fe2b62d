"""Penalties on the size of weights: those that are added to the objective, and those that are kept after each step.

The optimizer's own weight decay is neither (see ``optimizers``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn, optim

from tuner.hyperparameters.penalties import Penalties
from tuner.training.parameters import penalized

#: What is added to the loss of a batch: [], or 0 where every penalty is off.
Penalty = Callable[[], Tensor | float]

#: What is done to weights after a step; its argument, [], is 1 where the step was made and 0 where it was called off.
Projection = Callable[[Tensor], None]


def penalty(settings: Penalties, model: nn.Module) -> Penalty:
    """Return l1 sum |w| + (l2/2) sum w^2, the elastic net where both are on (Zou and Hastie 2005).

    With ``l1_proximal`` the first term has a value and no gradient: ``soft_threshold`` takes its part.
    """
    tensors: list[Tensor] = [*penalized(settings, model)]

    def added() -> Tensor | float:
        total: Tensor | float = 0.0
        if settings.l1 > 0:
            with torch.set_grad_enabled(not settings.l1_proximal):
                total = settings.l1 * torch.stack(torch._foreach_norm(tensors, 1)).sum()
        if settings.l2 > 0:
            total = total + settings.l2 / 2 * torch.stack(torch._foreach_norm(tensors, 2)).square().sum()
        return total

    return added


def projections(settings: Penalties, model: nn.Module, optimizer: optim.Optimizer) -> list[Projection]:
    """Return what is done to the weights after each step of the model's optimizer, in order."""
    parameters = penalized(settings, model)
    active = []
    if settings.l1_proximal and settings.l1 > 0:
        active.append(soft_threshold(settings.l1, parameters, optimizer))
    if settings.max_norm is not None:
        active.append(max_norm(settings.max_norm, parameters))
    return active


def soft_threshold(l1: float, parameters: Sequence[nn.Parameter], optimizer: optim.Optimizer) -> Projection:
    """Return w <- sign(w) max(|w| - lr l1, 0), the proximal step of l1 |w| with the learning rate of the step."""
    chosen = set(parameters)

    @torch.no_grad()
    def project(made: Tensor) -> None:
        for group in optimizer.param_groups:
            threshold = group["lr"] * l1 * made
            for weight in group["params"]:
                if weight in chosen:
                    weight.sub_(weight.clamp(-threshold, threshold))

    return project


def max_norm(largest: float, parameters: Sequence[nn.Parameter]) -> Projection:
    """Return w <- w min(1, c / ||w||) for the weights w of each unit, the first dimension of a parameter."""

    @torch.no_grad()
    def project(made: Tensor) -> None:
        for parameter in parameters:
            units = parameter.unsqueeze(-1)  # a bias has one number for each unit
            norms = torch.linalg.vector_norm(units, dim=tuple(range(1, units.ndim)), keepdim=True)
            units.mul_(torch.where(made > 0, (largest / norms).clamp(max=1), 1.0))

    return project
