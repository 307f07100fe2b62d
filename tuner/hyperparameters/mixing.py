"""The hyperparameters of mixup and cutmix."""

from __future__ import annotations

from dataclasses import dataclass

from tuner.hyperparameters.declare import choice, real


@dataclass(frozen=True, kw_only=True)
class Mixing:
    """Training on mixtures of images."""

    mixup_alpha: float = real(
        0.0,
        "Mixup: lambda ~ Beta(alpha, alpha); 0 is off, 1 is uniform.",
        minimum=0,
        maximum=100,
        source="Zhang et al. 2018",
    )
    cutmix_alpha: float = real(
        0.0,
        "CutMix: area that stays ~ Beta(alpha, alpha); 0 is off, 1 is uniform.",
        minimum=0,
        maximum=100,
        source="Yun et al. 2019",
    )
    mix_prob: float = real(
        1.0,
        "Share of batches, or of images where `mix_per` is image, that are mixed; with mixup and cutmix both on, a "
        "fair draw picks one. Has an effect where one of them is on.",
        minimum=0,
        maximum=1,
    )
    mix_per: str = choice(
        "batch",
        ("batch", "image"),
        "What shares one draw of lambda, box and kind: the whole batch, as in the papers, or each image alone. Has an "
        "effect where mixup or cutmix is on.",
    )
