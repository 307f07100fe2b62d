"""The hyperparameters of penalties."""

from __future__ import annotations

from dataclasses import dataclass

from tuner.hyperparameters.declare import boolean, real


@dataclass(frozen=True, kw_only=True)
class Penalties:
    """What keeps weights and predictions small."""

    weight_decay: float = real(
        0.0,
        "The optimizer's weight decay: the gradient of (lambda/2) ||w||^2, with adamw decoupled: w (1 - lr lambda).",
        minimum=0,
        maximum=10,
        source="torch.optim; Loshchilov and Hutter 2019 for adamw",
    )
    l1: float = real(
        0.0,
        "Adds lambda sum |w| to the objective; together with l2 it is the elastic net.",
        minimum=0,
        maximum=10,
        source="Tibshirani 1996; Zou and Hastie 2005",
    )
    l1_proximal: bool = boolean(
        False,
        "Take l1 out of the gradient and shrink weights after each step, which gives exact zeros: sign(w) max(|w| - lr "
        "lambda, 0). Has an effect where l1 is above 0.",
        source="Daubechies et al. 2004 (ISTA), with the group's lr for every optimizer",
    )
    l2: float = real(
        0.0,
        "Adds (lambda/2) sum w^2 to the objective: the same steps as weight_decay, except with adamw, whose "
        "weight_decay is decoupled.",
        minimum=0,
        maximum=10,
        source="Tikhonov; Hoerl and Kennard 1970",
    )
    max_norm: float | None = real(
        None,
        "Largest norm of the weights into one unit, kept by a projection after each step; null is off.",
        minimum=0,
        above=True,
        maximum=1e9,
        source="Srebro and Shraibman 2005; Srivastava et al. 2014: w min(1, c / ||w||)",
    )
    decay_norms_and_biases: bool = boolean(
        False, "Whether weight_decay, l1, l2 and max_norm also hold for norm parameters and biases."
    )
    label_smoothing: float = real(
        0.0,
        "Share e of the target spread evenly over the classes; for cross_entropy (1 - e) CE + e (KL(u || p) + log C).",
        minimum=0,
        maximum=1,
        below=True,
        source="Szegedy et al. 2016",
    )
