"""The optimizer's step behind its guard: after a non-finite loss or gradient no step changes the weights."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn, optim

from tuner.facts.errors import DivergedError


@dataclass(frozen=True)
class StepMeans:
    """What the steps of one epoch were like.

    Attributes:
        objective: What was optimized, averaged over images.
        grad_norm: Norm of the whole gradient before clipping, averaged over steps.
        clip_share: Share of steps whose gradient was clipped.
    """

    objective: float
    grad_norm: float
    clip_share: float


class GuardedStep:
    """Measures the gradient, clips it, and steps if loss and gradient are finite.

    On the CPU it looks at every step and raises at once. Gated, it never waits: a flag on the device calls off the
    step, stays set, and is read with everything else when the epoch's means are.

    Args:
        optimizer: A fused optimizer whose gradients are ready when the guard is called.
        clip_grad_norm: Largest norm of the whole gradient; None for no clipping.
        gated: Whether to use the flag on the device; meant for GPUs, and works on the CPU too.
    """

    def __init__(self, optimizer: optim.Optimizer, clip_grad_norm: float | None, *, gated: bool) -> None:
        self._optimizer = optimizer
        self._parameters = [item for group in optimizer.param_groups for item in group["params"]]
        self._largest = math.inf if clip_grad_norm is None else clip_grad_norm
        self._gated = gated
        device = self._parameters[0].device
        self._flag = torch.zeros((), device=device)
        self._sums = torch.zeros(3, dtype=torch.float64, device=device)
        self._images = self._steps = 0
        if gated:
            optimizer.found_inf = self._flag  # type: ignore[attr-defined]  # fused steps do nothing where it is 1

    def __call__(self, loss: Tensor, images: int) -> None:
        """Make one step.

        Args:
            loss: Mean over the batch, [], detached; its gradients have been computed.
            images: Images in the batch.

        Raises:
            DivergedError: Not gated, and the loss or the gradient's norm is not finite; nothing was changed.
        """
        norm = nn.utils.get_total_norm([item.grad for item in self._parameters if item.grad is not None])
        if self._gated:
            self._flag.copy_(torch.where(torch.isfinite(loss) & torch.isfinite(norm), self._flag, 1.0))
        else:
            _check(loss.item(), "the training loss")
            _check(norm.item(), "the gradient's norm")
        if self._largest < math.inf:
            nn.utils.clip_grads_with_norm_(self._parameters, self._largest, norm)
        self._optimizer.step()
        self._sums += torch.stack([loss * images, norm, norm > self._largest])
        self._images += images
        self._steps += 1

    def finish_epoch(self) -> StepMeans:
        """Return the means of the steps since the last call and start anew; waits for the device, once.

        Raises:
            DivergedError: Gated, and a loss or gradient was not finite; no step since has changed the weights.
        """
        objective, norm, clipped, flag = torch.cat([self._sums, self._flag.double().view(1)]).tolist()
        if flag:
            raise DivergedError("the training loss or its gradient is not finite")
        means = StepMeans(objective / self._images, norm / self._steps, clipped / self._steps)
        self._sums.zero_()
        self._images = self._steps = 0
        return means


def _check(value: float, what: str) -> None:
    if not math.isfinite(value):
        raise DivergedError(f"{what} is {value}")
