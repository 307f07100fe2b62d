"""How the learning rate moves: a linear warmup per batch, joined to PyTorch's scheduler, per epoch or per batch.

A new schedule is one entry in ``SCHEDULES`` and one test class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
    StepLR,
)

from tuner.hyperparameters.schedule import Schedule as Settings


class Kind(NamedTuple):
    """One schedule.

    Attributes:
        build: An optimizer that stands at ``lr``, settings and number of steps (at least 1) to a scheduler.
        per_batch: Whether a step is a batch; otherwise it is an epoch after the warmup.
    """

    build: Callable[[Optimizer, Settings, int], LRScheduler]
    per_batch: bool = False


def constant(rate: Optimizer, settings: Settings, steps: int) -> LRScheduler:
    """``lr`` throughout."""
    return ConstantLR(rate, factor=1.0)


def step(rate: Optimizer, settings: Settings, steps: int) -> LRScheduler:
    """Times ``gamma`` every ``step_size`` epochs."""
    return StepLR(rate, step_size=settings.step_size, gamma=settings.gamma)


def multistep(rate: Optimizer, settings: Settings, steps: int) -> LRScheduler:
    """Times ``gamma`` at each milestone."""
    milestones = [steps // 2, steps * 3 // 4] if settings.milestones is None else settings.milestones
    return MultiStepLR(rate, milestones=list(milestones), gamma=settings.gamma)


def exponential(rate: Optimizer, settings: Settings, steps: int) -> LRScheduler:
    """Times ``gamma`` every epoch."""
    return ExponentialLR(rate, gamma=settings.gamma)


def cyclic(rate: Optimizer, settings: Settings, steps: int) -> LRScheduler:
    """Between ``base_lr`` and ``lr``, up and down in straight lines (Smith 2017)."""
    lr = rate.defaults["lr"]
    return CyclicLR(
        rate,
        base_lr=lr / 4 if settings.base_lr is None else settings.base_lr,
        max_lr=lr,
        step_size_up=settings.step_size_up,
        step_size_down=settings.step_size_down,
        mode=settings.cyclic_mode,  # type: ignore[arg-type]  # one of the field's choices
        gamma=settings.gamma,
        cycle_momentum=False,
    )


def cosine(rate: Optimizer, settings: Settings, steps: int) -> LRScheduler:
    """From ``lr`` to ``eta_min`` along half a cosine (Loshchilov and Hutter 2017)."""
    return CosineAnnealingLR(rate, T_max=steps, eta_min=settings.eta_min)


def cosine_restarts(rate: Optimizer, settings: Settings, steps: int) -> LRScheduler:
    """Half a cosine of ``T_0`` epochs, then one ``T_mult`` times as long, and so on (Loshchilov and Hutter 2017)."""
    return CosineAnnealingWarmRestarts(rate, T_0=settings.T_0, T_mult=settings.T_mult, eta_min=settings.eta_min)


def onecycle(rate: Optimizer, settings: Settings, steps: int) -> LRScheduler:
    """Up to ``lr`` and down again (Smith and Topin 2018). Momentum stays: it is a hyperparameter of its own."""
    # OneCycleLR divides by zero where pct_start * steps is 1: its rise must take some time.
    rise = settings.pct_start if steps == 1 else max(settings.pct_start, 1.5 / steps)
    return OneCycleLR(
        rate,
        max_lr=rate.defaults["lr"],
        total_steps=steps,
        pct_start=rise,
        anneal_strategy=settings.anneal_strategy,  # type: ignore[arg-type]  # one of the field's choices
        div_factor=settings.div_factor,
        final_div_factor=settings.final_div_factor,
        cycle_momentum=False,
    )


def linear(rate: Optimizer, settings: Settings, steps: int) -> LRScheduler:
    """From ``start_factor`` to ``end_factor`` of ``lr`` in a straight line of ``total_iters`` epochs."""
    return LinearLR(
        rate,
        start_factor=settings.start_factor,
        end_factor=settings.end_factor,
        total_iters=steps if settings.total_iters is None else settings.total_iters,
    )


def plateau(rate: Optimizer, settings: Settings, steps: int) -> LRScheduler:
    """Times ``factor`` where the validation loss has stopped falling."""
    return ReduceLROnPlateau(
        rate,
        factor=settings.factor,
        patience=settings.patience,
        threshold=settings.threshold,
        cooldown=settings.cooldown,
        min_lr=settings.min_lr,
    )


SCHEDULES: dict[str, Kind] = {
    "constant": Kind(constant),
    "step": Kind(step),
    "multistep": Kind(multistep),
    "exponential": Kind(exponential),
    "cyclic": Kind(cyclic, per_batch=True),
    "cosine": Kind(cosine),
    "cosine_restarts": Kind(cosine_restarts),
    "onecycle": Kind(onecycle, per_batch=True),
    "linear": Kind(linear),
    "plateau": Kind(plateau),
}


class Schedule:
    """Warmup and schedule of one trial. The loop calls ``step`` after every batch, ``finish_epoch`` after every epoch.

    In batch t (from 0) of N warmup batches the learning rate is the schedule's first one times (t + 1) / N. The
    schedule begins after the warmup and stretches over the epochs that are left, as torchvision's reference training
    does; its steps and milestones count from there.

    Parameter groups keep the ratio of their learning rates: a group that begins with a tenth of ``lr`` has a tenth of
    whatever the schedule says, also of ``base_lr``, ``eta_min`` and ``min_lr``. Momentum never moves.

    Attributes:
        lr: The learning rate that the next step uses, for groups that begin with ``lr`` itself; known without waiting
            for the device.

    Args:
        optimizer: Built with ``lr``, the peak; its groups may begin with others. Where a group's learning rate is a
            0-d tensor it is filled in place, so that a compiled step stays as it is.
        settings: The hyperparameters.
        epochs: The budget.
        steps_per_epoch: Batches of an epoch.
    """

    def __init__(self, optimizer: Optimizer, settings: Settings, epochs: int, steps_per_epoch: int) -> None:
        kind = SCHEDULES[settings.schedule]
        peak = float(optimizer.defaults["lr"])
        epochs_left = max(1, epochs - settings.warmup_epochs)
        self.lr = peak
        self._optimizer = optimizer
        self._shares = [float(group["lr"]) / peak for group in optimizer.param_groups]
        # PyTorch's schedulers move optimizers. This one holds the learning rate alone, whose shares the groups get.
        self._rate = SGD([torch.nn.Parameter(torch.zeros(()))], lr=peak)
        self._scheduler = kind.build(self._rate, settings, epochs_left * (steps_per_epoch if kind.per_batch else 1))
        self._rate.step()  # schedulers warn where no step came before their own
        self._per_batch = kind.per_batch
        self._warmup_batches = settings.warmup_epochs * steps_per_epoch
        self._batches = 0
        self._move()

    def step(self) -> None:
        """Go on after a batch."""
        self._batches += 1
        if self._per_batch and self._batches > self._warmup_batches:
            self._scheduler.step()
        self._move()

    def finish_epoch(self, val_loss: float | None) -> None:
        """Go on after an epoch, whose batches have all been stepped.

        Args:
            val_loss: The validation loss of the epoch, heard by plateau alone; the others take None as well.
        """
        if not self._per_batch and self._batches > self._warmup_batches:
            if isinstance(self._scheduler, ReduceLROnPlateau):
                assert val_loss is not None, "plateau needs validation images"
                self._scheduler.step(val_loss)
            else:
                self._scheduler.step()
        self._move()

    def state_dict(self) -> dict[str, Any]:
        """Return where it stands, as numbers."""
        return {
            "batches": self._batches,
            "rate": self._rate.param_groups[0]["lr"],
            "scheduler": self._scheduler.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where ``state_dict`` was taken; the optimizer's learning rates are set with it."""
        self._batches = state["batches"]
        self._rate.param_groups[0]["lr"] = state["rate"]
        self._scheduler.load_state_dict(dict(state["scheduler"]))
        self._move()

    def _move(self) -> None:
        """Give each group its share of the learning rate."""
        warmed = min(1.0, (self._batches + 1) / self._warmup_batches) if self._warmup_batches else 1.0
        lr = self._rate.param_groups[0]["lr"] * warmed
        if lr == self.lr:
            return
        self.lr = lr
        for group, share in zip(self._optimizer.param_groups, self._shares, strict=True):
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(lr * share)
            else:
                group["lr"] = lr * share
