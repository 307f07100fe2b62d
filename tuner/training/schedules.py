"""How the learning rate moves: a linear warmup per batch, then PyTorch's scheduler, per epoch or per batch.

A new schedule is one entry in ``SCHEDULES`` and one test class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LRScheduler, OneCycleLR, StepLR

from tuner.hyperparameters.schedule import Schedule as Settings


class Kind(NamedTuple):
    """One schedule.

    Attributes:
        build: Optimizer, settings and number of steps (at least 1) to a scheduler.
        per_batch: Whether a step is a batch; otherwise it is an epoch after the warmup.
    """

    build: Callable[[Optimizer, Settings, int], LRScheduler]
    per_batch: bool = False


def constant(optimizer: Optimizer, settings: Settings, steps: int) -> LRScheduler:
    """``lr`` throughout."""
    return LambdaLR(optimizer, lambda epoch: 1.0)


def cosine(optimizer: Optimizer, settings: Settings, steps: int) -> LRScheduler:
    """From ``lr`` to ``eta_min`` along half a cosine (Loshchilov and Hutter 2017)."""
    return CosineAnnealingLR(optimizer, T_max=steps, eta_min=settings.eta_min)


def step(optimizer: Optimizer, settings: Settings, steps: int) -> LRScheduler:
    """Times ``gamma`` every ``step_size`` epochs."""
    return StepLR(optimizer, step_size=settings.step_size, gamma=settings.gamma)


def onecycle(optimizer: Optimizer, settings: Settings, steps: int) -> LRScheduler:
    """Up to ``lr`` and down again (Smith and Topin 2018). Momentum stays: it is a hyperparameter of its own."""
    # OneCycleLR divides by zero where pct_start * steps is 1: its rise must take some time.
    rise = settings.pct_start if steps == 1 else max(settings.pct_start, 1.5 / steps)
    return OneCycleLR(
        optimizer,
        max_lr=[group["lr"] for group in optimizer.param_groups],
        total_steps=steps,
        pct_start=rise,
        div_factor=settings.div_factor,
        final_div_factor=settings.final_div_factor,
        cycle_momentum=False,
    )


SCHEDULES: dict[str, Kind] = {
    "constant": Kind(constant),
    "cosine": Kind(cosine),
    "step": Kind(step),
    "onecycle": Kind(onecycle, per_batch=True),
}


class Schedule:
    """Warmup and schedule of one trial, stepped after every batch.

    In batch t (from 0) of N warmup batches the learning rate is ``lr`` (t + 1) / N. The schedule begins after the
    warmup and stretches over the epochs that are left, as torchvision's reference training does.

    Args:
        optimizer: Its learning rates, all alike, are the peak.
        settings: The hyperparameters.
        epochs: The budget.
        steps_per_epoch: Batches of an epoch.
    """

    def __init__(self, optimizer: Optimizer, settings: Settings, epochs: int, steps_per_epoch: int) -> None:
        kind = SCHEDULES[settings.schedule]
        epochs_left = max(1, epochs - settings.warmup_epochs)
        self._optimizer = optimizer
        self._every = 1 if kind.per_batch else steps_per_epoch
        self._scheduler = kind.build(optimizer, settings, epochs_left * steps_per_epoch // self._every)
        self._warmup_batches = settings.warmup_epochs * steps_per_epoch
        rise = max(1, self._warmup_batches)
        self._warmup = LambdaLR(optimizer, lambda batch: min(1.0, (batch + 1) / rise))
        self._batches = 0

    @property
    def lr(self) -> float:
        """The learning rate that the next step uses."""
        return float(self._optimizer.param_groups[0]["lr"])

    def step(self) -> None:
        """Go on after one batch."""
        self._batches += 1
        if self._batches <= self._warmup_batches:
            self._warmup.step()
        elif self._batches % self._every == 0:
            self._scheduler.step()

    def state_dict(self) -> dict[str, Any]:
        """Return where it stands, as numbers."""
        return {
            "batches": self._batches,
            "warmup": self._warmup.state_dict(),
            "scheduler": self._scheduler.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where ``state_dict`` was taken; the learning rate itself comes back with the optimizer."""
        self._batches = state["batches"]
        self._warmup.load_state_dict(state["warmup"])
        self._scheduler.load_state_dict(state["scheduler"])
