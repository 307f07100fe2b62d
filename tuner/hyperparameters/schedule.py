"""The hyperparameters of the learning rate's schedule."""

from __future__ import annotations

from dataclasses import dataclass

from tuner.hyperparameters.declare import choice, integer, real


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How the learning rate moves over the epochs."""

    schedule: str = choice(
        "cosine",
        ("constant", "cosine", "step", "onecycle"),
        "The learning rate's schedule; onecycle is stepped per batch, the others per epoch.",
        source="torch.optim.lr_scheduler",
    )
    warmup_epochs: int = integer(
        0,
        "Epochs over which the learning rate first rises linearly, per batch; onecycle has its own rise.",
        unit="epochs",
        minimum=0,
        maximum=100_000,
        applies={"schedule": ("constant", "cosine", "step")},
    )
    eta_min: float = real(
        0.0,
        "Learning rate that cosine ends at.",
        minimum=0,
        maximum=1000,
        applies={"schedule": ("cosine",)},
    )
    step_size: int = integer(
        10,
        "Epochs between two drops.",
        unit="epochs",
        minimum=1,
        maximum=100_000,
        applies={"schedule": ("step",)},
    )
    gamma: float = real(
        0.1,
        "Factor of each drop.",
        minimum=0,
        above=True,
        maximum=1,
        applies={"schedule": ("step",)},
    )
    pct_start: float = real(
        0.3,
        "Share of the steps in which onecycle rises.",
        minimum=0,
        above=True,
        maximum=1,
        below=True,
        applies={"schedule": ("onecycle",)},
    )
    div_factor: float = real(
        25.0,
        "onecycle begins at lr / div_factor.",
        minimum=1,
        maximum=1e9,
        applies={"schedule": ("onecycle",)},
    )
    final_div_factor: float = real(
        1e4,
        "onecycle ends at its first learning rate / final_div_factor.",
        minimum=1,
        maximum=1e9,
        applies={"schedule": ("onecycle",)},
    )
