"""The hyperparameters that keep a run from breaking, or end it early."""

from __future__ import annotations

from dataclasses import dataclass

from tuner.hyperparameters.declare import choice, integer, real


@dataclass(frozen=True, kw_only=True)
class Stability:
    """What keeps a run from breaking, or ends it early."""

    clip_grad_norm: float | None = real(
        None,
        "Largest norm of the whole gradient; null is off.",
        minimum=0,
        above=True,
        maximum=1e9,
        source="torch.nn.utils.clip_grad_norm_",
    )
    clip_grad_value: float | None = real(
        None,
        "Largest size of each element of the gradient, clipped before clip_grad_norm; null is off.",
        minimum=0,
        above=True,
        maximum=1e9,
        source="torch.nn.utils.clip_grad_value_",
    )
    early_stop_patience: int | None = integer(
        None,
        "End after this many epochs in a row without a better early_stop_metric; null is off.",
        unit="epochs",
        minimum=1,
        maximum=100_000,
    )
    early_stop_min_delta: float = real(0.0, "By how much an epoch must be better to count.", minimum=0, maximum=1e9)
    early_stop_metric: str = choice(
        "val_loss", ("val_loss", "val_accuracy"), "What early stopping watches: val_loss falls, val_accuracy rises."
    )
