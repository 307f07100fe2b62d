"""The hyperparameters of the learning rate's schedule."""

from __future__ import annotations

from dataclasses import dataclass

from tuner.facts.fields import Rule
from tuner.hyperparameters.declare import choice, integer, integers, real

_SCHEDULES = (
    "constant",
    "step",
    "multistep",
    "exponential",
    "cyclic",
    "cosine",
    "cosine_restarts",
    "onecycle",
    "linear",
    "plateau",
)
_PER_BATCH = ("cyclic", "onecycle")
_COSINES = {"schedule": ("cosine", "cosine_restarts")}
_CYCLIC = {"schedule": ("cyclic",)}
_LINEAR = {"schedule": ("linear",)}
_ONECYCLE = {"schedule": ("onecycle",)}
_PLATEAU = {"schedule": ("plateau",)}
_RESTARTS = {"schedule": ("cosine_restarts",)}


def _at_most_lr(name: str) -> tuple[Rule, ...]:
    return (
        Rule(
            says=f"{name} must be at most lr",
            names=frozenset({name, "lr"}),
            test=lambda config: config[name] is None or config[name] <= config["lr"],
        ),
    )


_GAMMA_OF_EXP_RANGE = Rule(
    says="with schedule cyclic a gamma other than 1 needs cyclic_mode exp_range",
    names=frozenset({"gamma", "cyclic_mode"}),
    test=lambda config: config["cyclic_mode"] == "exp_range" or config["gamma"] == 1,
)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How the learning rate moves. Epochs count from the end of the warmup."""

    schedule: str = choice(
        "cosine",
        _SCHEDULES,
        "The learning rate's schedule; cyclic and onecycle move it after each batch, the others after each epoch.",
        source="torch.optim.lr_scheduler",
    )
    warmup_epochs: int = integer(
        0,
        "Epochs over which the learning rate first rises linearly, per batch; cyclic and onecycle have their own rise. "
        "It should be shorter than epochs: the rate never reaches lr otherwise.",
        unit="epochs",
        minimum=0,
        maximum=100_000,
        applies={"schedule": tuple(name for name in _SCHEDULES if name not in _PER_BATCH)},
        source="Goyal et al. 2017",
    )
    step_size: int = integer(
        10,
        "Epochs between two drops.",
        unit="epochs",
        minimum=1,
        maximum=100_000,
        applies={"schedule": ("step",)},
        source="torch's StepLR",
    )
    milestones: tuple[int, ...] | None = integers(
        None,
        "Numbers of epochs after which multistep drops; null is after half and after three quarters of all.",
        unit="epochs",
        minimum=1,
        maximum=100_000,
        applies={"schedule": ("multistep",)},
        source="torch's MultiStepLR; null as in He et al. 2016",
    )
    cyclic_mode: str = choice(
        "triangular",
        ("triangular", "triangular2", "exp_range"),
        "What becomes of cyclic's peaks: they stay, halve with each cycle, or shrink by gamma with each batch.",
        applies=_CYCLIC,
        source="mode of torch's CyclicLR; Smith 2017",
    )
    gamma: float = real(
        0.1,
        "Factor of each drop of step and multistep, of each epoch of exponential, of each batch for the height of "
        "cyclic's peaks where cyclic_mode is exp_range.",
        minimum=0,
        above=True,
        maximum=1,
        applies={"schedule": ("step", "multistep", "exponential", "cyclic")},
        default_by={"cyclic_mode": {"exp_range": 0.9999}, "schedule": {"exponential": 0.95, "cyclic": 1.0}},
        rules=(_GAMMA_OF_EXP_RANGE,),
        source="torch's StepLR, MultiStepLR, ExponentialLR and CyclicLR",
    )
    base_lr: float | None = real(
        None,
        "Learning rate between cyclic's peaks, which are lr; null is a quarter of lr.",
        minimum=0,
        maximum=1000,
        applies=_CYCLIC,
        rules=_at_most_lr("base_lr"),
        source="torch's CyclicLR; a quarter as in Smith 2017",
    )
    step_size_up: int = integer(
        2000,
        "Batches in which cyclic rises.",
        unit="batches",
        minimum=1,
        maximum=1_000_000_000,
        applies=_CYCLIC,
        source="torch's CyclicLR",
    )
    step_size_down: int | None = integer(
        None,
        "Batches in which cyclic falls; null is as many as it rises.",
        unit="batches",
        minimum=1,
        maximum=1_000_000_000,
        applies=_CYCLIC,
        source="torch's CyclicLR",
    )
    eta_min: float = real(
        0.0,
        "Learning rate that a cosine falls to.",
        minimum=0,
        maximum=1000,
        applies=_COSINES,
        rules=_at_most_lr("eta_min"),
        source="torch's CosineAnnealingLR and CosineAnnealingWarmRestarts; Loshchilov and Hutter 2017",
    )
    T_0: int = integer(
        10,
        "Epochs before cosine_restarts begins again at lr.",
        unit="epochs",
        minimum=1,
        maximum=100_000,
        applies=_RESTARTS,
        source="torch's CosineAnnealingWarmRestarts",
    )
    T_mult: int = integer(
        1,
        "How many times as long each cosine is as the one before it.",
        minimum=1,
        maximum=1000,
        applies=_RESTARTS,
        source="torch's CosineAnnealingWarmRestarts",
    )
    pct_start: float = real(
        0.3,
        "Share of the batches in which onecycle rises.",
        minimum=0,
        above=True,
        maximum=1,
        below=True,
        applies=_ONECYCLE,
        source="torch's OneCycleLR",
    )
    anneal_strategy: str = choice(
        "cos",
        ("cos", "linear"),
        "The form of onecycle's rise and fall.",
        applies=_ONECYCLE,
        source="torch's OneCycleLR",
    )
    div_factor: float = real(
        25.0,
        "onecycle begins at lr / div_factor.",
        minimum=1,
        maximum=1e9,
        applies=_ONECYCLE,
        source="torch's OneCycleLR",
    )
    final_div_factor: float = real(
        1e4,
        "onecycle ends at its first learning rate / final_div_factor.",
        minimum=1,
        maximum=1e9,
        applies=_ONECYCLE,
        source="torch's OneCycleLR",
    )
    start_factor: float = real(
        1.0,
        "linear begins at lr times this.",
        minimum=0,
        above=True,
        maximum=1,
        applies=_LINEAR,
        source="torch's LinearLR, which rises by default",
    )
    end_factor: float = real(
        0.0,
        "linear ends at lr times this.",
        minimum=0,
        maximum=1,
        applies=_LINEAR,
        source="torch's LinearLR, which rises by default",
    )
    total_iters: int | None = integer(
        None,
        "Epochs from linear's begin to its end, after which it stays; null is all.",
        unit="epochs",
        minimum=1,
        maximum=100_000,
        applies=_LINEAR,
        source="torch's LinearLR",
    )
    factor: float = real(
        0.1,
        "Factor of each drop of plateau.",
        minimum=0,
        above=True,
        maximum=1,
        below=True,
        applies=_PLATEAU,
        source="torch's ReduceLROnPlateau",
    )
    patience: int = integer(
        10,
        "Epochs in a row without a better validation loss that plateau lets pass; after one more it drops.",
        unit="epochs",
        minimum=0,
        maximum=100_000,
        applies=_PLATEAU,
        source="torch's ReduceLROnPlateau",
    )
    threshold: float = real(
        1e-4,
        "Share of the best validation loss by which a better one must be below it.",
        minimum=0,
        maximum=1,
        below=True,
        applies=_PLATEAU,
        source="torch's ReduceLROnPlateau, threshold_mode rel",
    )
    cooldown: int = integer(
        0,
        "Epochs after a drop that plateau does not count.",
        unit="epochs",
        minimum=0,
        maximum=100_000,
        applies=_PLATEAU,
        source="torch's ReduceLROnPlateau",
    )
    min_lr: float = real(
        0.0,
        "Learning rate below which plateau does not go.",
        minimum=0,
        maximum=1000,
        applies=_PLATEAU,
        rules=_at_most_lr("min_lr"),
        source="torch's ReduceLROnPlateau",
    )
