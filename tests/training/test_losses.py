import pytest
import torch
from torch.nn import functional

from tests.training.helpers import generator
from tuner.hyperparameters.penalties import Penalties
from tuner.training.losses import LOSSES

LOGITS = 3 * torch.randn(9, 6, dtype=torch.float64, generator=generator())
LABELS = torch.arange(9) % 6
ONE_HOT = functional.one_hot(LABELS, 6).double()
LOG_P = LOGITS.log_softmax(1)


def loss(targets, smoothing=0.0):
    return LOSSES["cross_entropy"](Penalties(label_smoothing=smoothing))(LOGITS, targets).item()


def test_takes_logits():
    assert loss(LABELS) == pytest.approx(-(ONE_HOT * LOG_P).sum(1).mean().item())


@pytest.mark.parametrize("smoothing", [0.1, 0.7])
def test_label_smoothing_is_a_pull_towards_the_uniform_distribution(smoothing):
    uniform = torch.full_like(LOG_P, 1 / 6)
    divergence = (uniform * (uniform.log() - LOG_P)).sum(1).mean().item()
    expected = (1 - smoothing) * loss(LABELS) + smoothing * (divergence + torch.tensor(6.0).log().item())
    assert loss(LABELS, smoothing) == pytest.approx(expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_soft_targets_equal_the_pair_of_losses(share, smoothing):
    soft = share * ONE_HOT + (1 - share) * ONE_HOT.flip(0)
    pair = share * loss(LABELS, smoothing) + (1 - share) * loss(LABELS.flip(0), smoothing)
    assert loss(soft, smoothing) == pytest.approx(pair)
