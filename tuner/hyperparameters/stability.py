"""The hyperparameters that keep a run from breaking, make it faster, or end it early."""

from __future__ import annotations

from dataclasses import dataclass

from tuner.hyperparameters.declare import boolean, choice, integer, real


@dataclass(frozen=True, kw_only=True)
class Stability:
    """What keeps a run from breaking, makes it faster, or ends it early."""

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
    ema_decay: float | None = real(
        None,
        "Evaluate and keep an average of the weights, which keeps this share of itself in each step; null is off.",
        minimum=0,
        maximum=1,
        below=True,
        source="Polyak and Juditsky 1992; min(ema_decay, (1 + t) / (10 + t)) in step t, as in TensorFlow",
    )
    precision: str = choice(
        "float32",
        ("float32", "bfloat16", "float16"),
        "What forward and backward passes compute in; weights, losses and steps are float32. With float16 the loss is "
        "scaled, and a step whose gradient overflows is skipped.",
        source="torch.autocast; Micikevicius et al. 2018",
    )
    compile: bool = boolean(
        False,
        "Compile the network's training pass, which takes up to a minute; dropout draws other numbers then.",
        source="torch.compile",
    )
    early_stop_patience: int | None = integer(
        None,
        "End after this many epochs in a row without a better early_stop_metric; null is off.",
        unit="epochs",
        minimum=1,
        maximum=100_000,
        source="Prechelt 1998",
    )
    early_stop_min_delta: float = real(
        0.0,
        "By how much an epoch's early_stop_metric must be better than the best before to count as better. Has an "
        "effect where early_stop_patience is on.",
        minimum=0,
        maximum=1e9,
    )
    early_stop_metric: str = choice(
        "val_loss",
        ("val_loss", "val_accuracy"),
        "What early stopping watches: val_loss falls, val_accuracy rises. Has an effect where early_stop_patience is "
        "on.",
    )
