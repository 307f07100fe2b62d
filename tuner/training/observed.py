"""What those who look into a training are shown after each epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Observed:
    """One epoch of a trial.

    Attributes:
        epoch: From 1.
        model: The model that was evaluated, the average of its weights where ``ema_decay`` is on. Only to be looked at.
        grad_norms: Name of each trained parameter to the norm of its gradient before clipping, averaged over steps.
        dropout_rates: Name of each module of concrete dropout to its learned rate; empty with other kinds.
        report: What the trial yields.
    """

    epoch: int
    model: nn.Module
    grad_norms: Mapping[str, float]
    dropout_rates: Mapping[str, float]
    report: Mapping[str, float]
