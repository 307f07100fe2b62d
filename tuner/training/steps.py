"""The optimizer's step behind its guard: after a non-finite loss or gradient no step changes the weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn, optim

from tuner.facts.errors import DivergedError
from tuner.hyperparameters.stability import Stability
from tuner.training.penalties import Projection
from tuner.training.precision import LossScale


@dataclass(frozen=True)
class StepMeans:
    """What the steps of one epoch were like.

    Attributes:
        objective: What was optimized, averaged over images.
        grad_norm: Norm of the whole gradient before clipping, averaged over steps.
        grad_norms: Name of each trained parameter, in the model's order, to the norm of its gradient, likewise.
        clip_share: Share of steps whose gradient was clipped.
        skip_share: Share of all steps that were skipped since float16 gradients overflowed; the others are averaged.
    """

    objective: float
    grad_norm: float
    grad_norms: Mapping[str, float]
    clip_share: float
    skip_share: float


class GuardedStep:
    """Measures the gradient, clips it, and steps if loss and gradient are finite.

    On the CPU it looks at every step and raises at once. Gated, it never waits: a flag on the device calls off the
    step, stays set, and is read with everything else when the epoch's means are.

    With a loss scale, a gradient that is not finite while the loss is has overflowed: that step alone is called off and
    the scale is halved. Once the scale is below 1 it is divergence. This needs the flag, also on the CPU.

    Args:
        model: What is trained; gives gradients their names.
        optimizer: One of ``optimizers``, over parameters of the model; gradients are ready when the guard is called.
        settings: How gradients are clipped: each element first, then the whole gradient.
        loss_scale: What the gradients are still to be divided by.
        projections: What is done to the weights after each step.
        gated: Whether to use the flag on the device; meant for GPUs, and works on the CPU too.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: optim.Optimizer,
        settings: Stability,
        loss_scale: LossScale,
        projections: Sequence[Projection] = (),
        *,
        gated: bool,
    ) -> None:
        self._optimizer = optimizer
        self._parameters = [item for group in optimizer.param_groups for item in group["params"]]
        self._names = {parameter: name for name, parameter in model.named_parameters()}
        self._largest_norm = math.inf if settings.clip_grad_norm is None else settings.clip_grad_norm
        self._largest_value = math.inf if settings.clip_grad_value is None else settings.clip_grad_value
        self._loss_scale = loss_scale
        self._projections = projections
        self._gated = gated or loss_scale.enabled
        device = self._parameters[0].device
        self._diverged, self._called_off = torch.zeros((), device=device), torch.zeros((), device=device)
        self._sums = torch.zeros(4 + len(self._parameters), dtype=torch.float64, device=device)
        self._images = self._steps = 0
        if self._gated:
            optimizer.found_inf = self._called_off  # type: ignore[attr-defined]  # steps do nothing where it is 1

    def __call__(self, loss: Tensor, images: int) -> None:
        """Make one step.

        Args:
            loss: Mean over the batch, [], detached and not scaled; its scaled gradients have been computed.
            images: Images in the batch.

        Raises:
            DivergedError: Not gated, and the loss or the gradient's norm is not finite; nothing was changed.
        """
        gradients = [self._gradient(parameter) for parameter in self._parameters]
        self._loss_scale.unscale_(gradients)
        norms = torch.stack(torch._foreach_norm(gradients))
        norm = torch.linalg.vector_norm(norms)
        if self._gated:
            self._set_flags(torch.isfinite(loss), torch.isfinite(norm))
        else:
            _check(loss.item(), "the training loss")
            _check(norm.item(), "the gradient's norm")
        clipped = self._clip(gradients, norm)
        self._optimizer.step()
        made = 1 - self._called_off
        for project in self._projections:
            project(made)
        of_gradient = torch.where(made > 0, torch.cat([torch.stack([clipped, norm]), norms]), 0)
        self._sums += torch.cat([torch.stack([loss * images, made]), of_gradient])
        self._images += images
        self._steps += 1

    def sums(self) -> Tensor:
        """Return what ``finish_epoch`` needs, float64, on the device: to be read together with other numbers."""
        return torch.cat([self._diverged.double().view(1), self._sums])

    def finish_epoch(self, sums: Sequence[float]) -> StepMeans:
        """Return the means of the steps since the last call and start anew.

        Args:
            sums: The numbers of ``sums``.

        Raises:
            DivergedError: Gated, and a loss or gradient was not finite; no step since has changed the weights.
        """
        diverged, objective, made, clipped, norm, *norms = sums
        if diverged:
            raise DivergedError("the training loss or its gradient is not finite")
        steps = max(1.0, made)
        trained = dict(zip(self._parameters, norms, strict=True))
        means = StepMeans(
            objective=objective / self._images,
            grad_norm=norm / steps,
            grad_norms={name: trained[item] / steps for item, name in self._names.items() if item in trained},
            clip_share=clipped / steps,
            skip_share=1 - made / self._steps,
        )
        self._sums.zero_()
        self._images = self._steps = 0
        return means

    def _set_flags(self, loss_is_finite: Tensor, gradient_is_finite: Tensor) -> None:
        overflow = loss_is_finite & ~gradient_is_finite
        if self._loss_scale.enabled:
            diverged = ~loss_is_finite | self._loss_scale.update(overflow)
        else:
            diverged = ~loss_is_finite | overflow
        self._diverged.copy_(torch.maximum(self._diverged, diverged))
        self._called_off.copy_(torch.maximum(self._diverged, overflow))

    def _gradient(self, parameter: nn.Parameter) -> Tensor:
        # What the objective does not reach has no gradient, and keeps its place among the norms.
        return parameter.new_zeros(()) if parameter.grad is None else parameter.grad

    def _clip(self, gradients: list[Tensor], norm: Tensor) -> Tensor:
        """Clip in place; return whether that changed the gradient."""
        clipped = norm > self._largest_norm
        if self._largest_value < math.inf:
            largest = torch.stack(torch._foreach_norm(gradients, math.inf)).max()
            clipped = largest > self._largest_value
            nn.utils.clip_grad_value_(self._parameters, self._largest_value)
            if self._largest_norm < math.inf:
                norm = nn.utils.get_total_norm(gradients)
                clipped |= norm > self._largest_norm
        if self._largest_norm < math.inf:
            nn.utils.clip_grads_with_norm_(self._parameters, self._largest_norm, norm)
        return clipped


def _check(value: float, what: str) -> None:
    if not math.isfinite(value):
        raise DivergedError(f"{what} is {value}")
