"""The hyperparameters of the optimizer."""

from __future__ import annotations

from dataclasses import dataclass

from tuner.hyperparameters.declare import boolean, choice, real

SGD = {"optimizer": ("sgd",)}
ADAMW = {"optimizer": ("adamw",)}


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """How gradients become steps."""

    optimizer: str = choice("sgd", ("sgd", "adamw"), "The optimizer.", source="torch.optim.SGD, torch.optim.AdamW")
    lr: float = real(
        0.1,
        "Peak learning rate.",
        minimum=0,
        above=True,
        maximum=1000,
        default_by={"optimizer": {"adamw": 1e-3}},
    )
    momentum: float = real(
        0.9, "Share of the last step that goes into the next one.", minimum=0, maximum=1, below=True, applies=SGD
    )
    nesterov: bool = boolean(
        False, "Nesterov's momentum; has an effect where momentum is above 0.", applies=SGD, source="torch.optim.SGD"
    )
    beta1: float = real(
        0.9, "Decay of the first moment.", minimum=0, maximum=1, below=True, applies=ADAMW, source="torch's betas[0]"
    )
    beta2: float = real(
        0.999, "Decay of the second moment.", minimum=0, maximum=1, below=True, applies=ADAMW, source="torch's betas[1]"
    )
    eps: float = real(1e-8, "Added to the root of the second moment.", minimum=0, above=True, maximum=1, applies=ADAMW)
