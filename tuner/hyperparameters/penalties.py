"""The hyperparameters of penalties."""

from __future__ import annotations

from dataclasses import dataclass

from tuner.hyperparameters.declare import boolean, real


@dataclass(frozen=True, kw_only=True)
class Penalties:
    """What keeps weights and predictions small."""

    weight_decay: float = real(
        0.0,
        "The optimizer's weight decay: with sgd the gradient of (lambda/2) ||w||^2, with adamw decoupled.",
        minimum=0,
        maximum=10,
        source="torch.optim; Loshchilov and Hutter 2019 for adamw",
    )
    decay_norms_and_biases: bool = boolean(False, "Whether weight decay also holds for norm parameters and biases.")
    label_smoothing: float = real(
        0.0,
        "Share e of the target spread evenly over the classes: (1 - e) CE + e (KL(u || p) + log C).",
        minimum=0,
        maximum=1,
        below=True,
        source="Szegedy et al. 2016",
    )
