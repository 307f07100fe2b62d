"""The hyperparameters of dropout."""

from __future__ import annotations

from dataclasses import dataclass

from tuner.hyperparameters.declare import real


@dataclass(frozen=True, kw_only=True)
class Dropout:
    """Random removal of activations."""

    dropout: float = real(
        0.0,
        "Probability of dropping a unit before the last linear layer.",
        minimum=0,
        maximum=1,
        source="Srivastava et al. 2014, inverted: kept units are divided by 1 - p",
    )
