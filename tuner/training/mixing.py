"""Mixup and cutmix: training on mixtures of each batch with a permutation of itself.

Each kind says which share of every pixel stays; the rest comes from the partner, and labels are mixed by the mean of
that share. Everything is drawn on the device, so that no step waits for it. A new kind is one function in ``MIXES``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tuner.hyperparameters.mixing import Mixing
from tuner.training.boxes import random_boxes

#: Images float32 [B, C, H, W], labels int64 [B] and the trial's generator to images and targets of a batch:
#: int64 [B] where mixing is off, otherwise probabilities float32 [B, classes].
Mix = Callable[[Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]]


def mixup_share(drawn: Tensor, height: int, width: int, generator: torch.Generator) -> Tensor:
    """Return lambda for every pixel (Zhang et al. 2018): [N, 1, 1, 1] for N draws."""
    return drawn.float().view(-1, 1, 1, 1)


def cutmix_share(drawn: Tensor, height: int, width: int, generator: torch.Generator) -> Tensor:
    """Return 0 inside one box of sides int(side sqrt(1 - lambda)), cut off at the border, and 1 outside.

    Yun et al. 2019; [N, 1, height, width] for N draws. The labels' lambda is the share of pixels that really stayed.
    """
    root = (1 - drawn).sqrt()
    box = ((height * root).long(), (width * root).long())
    return (~random_boxes(len(drawn), (height, width), box, generator)).float()


#: Name to what stays of each pixel, given lambda [N]; hyperparameter ``<name>_alpha`` is its Beta parameter.
MIXES: dict[str, Callable[[Tensor, int, int, torch.Generator], Tensor]] = {
    "mixup": mixup_share,
    "cutmix": cutmix_share,
}


def draw_beta(alpha: float, count: int, generator: torch.Generator) -> Tensor:
    """Draw lambda ~ Beta(alpha, alpha), float64 [count], for any alpha above 0.

    Two Gamma variables in logarithms, since for small alpha both round to 0: G(a) = G(a + 1) U^(1/a)
    (Marsaglia and Tsang 2000). ``torch.distributions`` takes no generator.
    """
    concentration = torch.full((2, count), alpha + 1, dtype=torch.float64, device=generator.device)
    gamma = torch._standard_gamma(concentration, generator=generator)
    minus_log_u = torch.empty_like(gamma).exponential_(generator=generator)
    first, second = (gamma.log() - minus_log_u / alpha).unbind()
    return torch.sigmoid(first - second)


def build(settings: Mixing, classes: int) -> Mix:
    """Return the mixing of a batch; with several kinds on, a fair draw picks one for each batch or image."""
    alphas = {name: getattr(settings, f"{name}_alpha") for name in MIXES}
    active = {name: alpha for name, alpha in alphas.items() if alpha > 0}
    if not active or settings.mix_prob == 0:
        return _unmixed

    def mix(images: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        draws = len(images) if settings.mix_per == "image" else 1
        height, width = images.shape[2:]
        stays = _share_that_stays(active, settings.mix_prob, draws, (height, width), generator)
        partner = torch.randperm(len(images), generator=generator, device=images.device)
        targets = torch.zeros(len(labels), classes, device=images.device).scatter_(1, labels[:, None], 1.0)
        return (
            torch.lerp(images[partner], images, stays),
            torch.lerp(targets[partner], targets, stays.mean((2, 3))),
        )

    return mix


def _share_that_stays(
    alphas: dict[str, float], probability: float, draws: int, image_size: tuple[int, int], generator: torch.Generator
) -> Tensor:
    """Draw the share of each pixel that stays, [draws, 1, height or 1, width or 1]."""
    device = generator.device
    picked = torch.randint(len(alphas), (draws, 1, 1, 1), generator=generator, device=device)
    mixed = torch.rand(draws, 1, 1, 1, generator=generator, device=device) < probability
    stays = torch.ones(1, 1, 1, 1, device=device)
    for number, (name, alpha) in enumerate(alphas.items()):
        share = MIXES[name](draw_beta(alpha, draws, generator), *image_size, generator)
        stays = torch.where(mixed & (picked == number), share, stays)
    return stays


def _unmixed(images: Tensor, labels: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    return images, labels
