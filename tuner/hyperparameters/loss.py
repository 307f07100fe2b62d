"""The hyperparameters of the loss."""

from __future__ import annotations

from dataclasses import dataclass

from tuner.hyperparameters.declare import choice


@dataclass(frozen=True, kw_only=True)
class Loss:
    """What a step makes smaller."""

    loss: str = choice(
        "cross_entropy",
        ("cross_entropy", "mse", "rmse"),
        "The loss of a batch; mse and rmse compare the softmax with the targets' probabilities.",
        source="torch.nn.CrossEntropyLoss; Brier 1950 for mse, as a mean over classes; rmse is sqrt(mse + 1e-12)",
    )
