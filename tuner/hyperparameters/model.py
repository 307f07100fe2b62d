"""The hyperparameters of the network."""

from __future__ import annotations

from dataclasses import dataclass

from tuner.hyperparameters.declare import choice, integer


@dataclass(frozen=True, kw_only=True)
class Model:
    """The network."""

    model: str = choice(
        "resnet18",
        ("cnn", "resnet9", "resnet18"),
        "The network; all have a stem for small images.",
        source="cnn: conv 32, conv 64, fc 256; resnet9: Page 2019 (DAWNBench); resnet18: He et al. 2015, CIFAR stem",
    )
    width: int = integer(
        64,
        "Channels of the first stage; the later stages are multiples of it.",
        unit="channels",
        minimum=1,
        maximum=1024,
        applies={"model": ("cnn", "resnet9")},
        default_by={"model": {"cnn": 32}},
    )
