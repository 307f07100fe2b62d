"""How the learning rate moves after the warmup: PyTorch's schedulers, per epoch or per batch.

A new schedule is one entry in ``SCHEDULES`` and one test class.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch.optim import Optimizer
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
