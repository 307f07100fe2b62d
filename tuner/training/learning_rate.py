"""The learning rate of each step: a linear warmup per batch, joined to one of the schedules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from tuner.hyperparameters.schedule import Schedule as Settings
from tuner.training.schedules import SCHEDULES


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
