"""The hyperparameters of the optimizer."""

from __future__ import annotations

from dataclasses import dataclass

from tuner.hyperparameters.declare import boolean, choice, real

SGD = {"optimizer": ("sgd",)}
ADAM = {"optimizer": ("adam", "adamw")}
RMSPROP = {"optimizer": ("rmsprop",)}


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """How gradients become steps."""

    optimizer: str = choice(
        "sgd",
        ("sgd", "adam", "adamw", "rmsprop"),
        "The optimizer.",
        source="torch.optim; Kingma and Ba 2015, Loshchilov and Hutter 2019, Tieleman and Hinton 2012",
    )
    lr: float = real(
        0.1,
        "Peak learning rate.",
        minimum=0,
        above=True,
        maximum=1000,
        default_by={"optimizer": {"adam": 1e-3, "adamw": 1e-3, "rmsprop": 1e-3}},
    )
    lr_backbone: float | None = real(
        None,
        "Peak learning rate of all layers but the last; schedules keep its ratio to lr. Null: lr itself.",
        minimum=0,
        above=True,
        maximum=1000,
        applies={"pretrained": (True,), "freeze_backbone": (False,)},
    )
    momentum: float = real(
        0.9,
        "Share of the last step that goes into the next one.",
        minimum=0,
        maximum=1,
        below=True,
        applies={"optimizer": ("sgd", "rmsprop")},
        default_by={"optimizer": {"rmsprop": 0.0}},
        source="torch.optim.SGD, torch.optim.RMSprop",
    )
    nesterov: bool = boolean(
        False, "Nesterov's momentum; has an effect where momentum is above 0.", applies=SGD, source="torch.optim.SGD"
    )
    beta1: float = real(
        0.9, "Decay of the first moment.", minimum=0, maximum=1, below=True, applies=ADAM, source="torch's betas[0]"
    )
    beta2: float = real(
        0.999, "Decay of the second moment.", minimum=0, maximum=1, below=True, applies=ADAM, source="torch's betas[1]"
    )
    eps: float = real(
        1e-8,
        "Added to the root of the second moment.",
        minimum=0,
        above=True,
        maximum=1,
        applies={"optimizer": ("adam", "adamw", "rmsprop")},
        source="torch.optim; outside the root, as in Kingma and Ba 2015",
    )
    alpha: float = real(
        0.99,
        "Decay of rmsprop's mean of squared gradients.",
        minimum=0,
        maximum=1,
        below=True,
        applies=RMSPROP,
        source="torch.optim.RMSprop",
    )
    centered: bool = boolean(
        False,
        "Divide by an estimate of the gradient's standard deviation instead of its root mean square.",
        applies=RMSPROP,
        source="torch.optim.RMSprop; Graves 2013",
    )
