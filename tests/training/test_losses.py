from collections.abc import Mapping
from typing import ClassVar

import pytest
import torch
from torch.nn import functional

from tests.training.helpers import generator
from tuner.hyperparameters.penalties import Penalties
from tuner.training.losses import LOSSES, mean_squared_error

CLASSES = 6
LOGITS = 3 * torch.randn(9, CLASSES, dtype=torch.float64, generator=generator())
LABELS = torch.arange(9) % CLASSES
OTHERS = LABELS.flip(0)
ONE_HOT = functional.one_hot(LABELS, CLASSES).double()
LOG_P = LOGITS.log_softmax(1)
P = LOG_P.exp()


class LossContract:
    """What every loss promises; a new one inherits this with its name and its formula."""

    name: str
    settings: ClassVar[Mapping[str, object]] = {}

    def expected(self, targets):
        """Return the loss of LOGITS on probabilities, by its formula, in float64."""
        raise NotImplementedError

    def loss(self, targets, smoothing=0.0, logits=LOGITS):
        return LOSSES[self.name](Penalties(label_smoothing=smoothing))(logits, targets)

    def gradient(self, loss_of):
        logits = LOGITS.clone().requires_grad_()
        loss_of(logits).backward()
        return logits.grad

    @pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
    @pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
    def test_follows_its_formula_on_mixed_and_smoothed_targets(self, share, smoothing):
        soft = share * ONE_HOT + (1 - share) * ONE_HOT.flip(0)
        smoothed = (1 - smoothing) * soft + smoothing / CLASSES
        assert self.loss(soft, smoothing).item() == pytest.approx(self.expected(smoothed).item())

    @pytest.mark.parametrize("smoothing", [0.0, 0.2])
    def test_labels_are_one_hot_targets(self, smoothing):
        assert self.loss(LABELS, smoothing).item() == pytest.approx(self.loss(ONE_HOT, smoothing).item())

    def test_its_gradient_is_finite_where_the_model_is_certain(self):
        certain = (1000 * ONE_HOT).requires_grad_()
        self.loss(LABELS, logits=certain).backward()
        assert certain.grad.isfinite().all()


class TestCrossEntropy(LossContract):
    name = "cross_entropy"

    def expected(self, targets):
        return -(targets * LOG_P).sum(1).mean()

    @pytest.mark.parametrize("smoothing", [0.1, 0.7])
    def test_label_smoothing_is_a_pull_towards_the_uniform_distribution(self, smoothing):
        uniform = torch.full_like(LOG_P, 1 / CLASSES)
        divergence = (uniform * (uniform.log() - LOG_P)).sum(1).mean()
        expected = (1 - smoothing) * self.loss(LABELS) + smoothing * (divergence + torch.tensor(CLASSES).log())
        assert self.loss(LABELS, smoothing).item() == pytest.approx(expected.item())

    @pytest.mark.parametrize("smoothing", [0.0, 0.2])
    @pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
    def test_soft_targets_equal_the_pair_of_losses(self, share, smoothing):
        soft = share * ONE_HOT + (1 - share) * ONE_HOT.flip(0)
        pair = share * self.loss(LABELS, smoothing) + (1 - share) * self.loss(OTHERS, smoothing)
        assert self.loss(soft, smoothing).item() == pytest.approx(pair.item())


class TestMse(LossContract):
    name = "mse"

    def expected(self, targets):
        return ((P - targets) ** 2).mean()

    @pytest.mark.parametrize("smoothing", [0.0, 0.2])
    def test_the_pair_of_losses_differs_by_a_constant(self, smoothing):
        share = 0.3
        soft = share * ONE_HOT + (1 - share) * ONE_HOT.flip(0)

        def pair(logits):
            one, other = self.loss(LABELS, smoothing, logits), self.loss(OTHERS, smoothing, logits)
            return share * one + (1 - share) * other

        def mixed(logits):
            return self.loss(soft, smoothing, logits)

        assert torch.allclose(self.gradient(pair), self.gradient(mixed))
        differences = [(pair(logits) - mixed(logits)).item() for logits in (LOGITS, LOGITS.flip(1), 0 * LOGITS)]
        assert differences == pytest.approx([differences[0]] * 3)
        assert differences[0] > 0.01


class TestRmse(LossContract):
    name = "rmse"

    def expected(self, targets):
        return (((P - targets) ** 2).mean() + 1e-12).sqrt()

    def test_the_pair_of_losses_has_another_gradient(self):
        soft = 0.3 * ONE_HOT + 0.7 * ONE_HOT.flip(0)
        pair = self.gradient(lambda z: 0.3 * self.loss(LABELS, logits=z) + 0.7 * self.loss(OTHERS, logits=z))
        assert not torch.allclose(pair, self.gradient(lambda z: self.loss(soft, logits=z)), rtol=0.05)


def test_every_loss_has_a_contract_test():
    assert {contract.name for contract in LossContract.__subclasses__()} == set(LOSSES)


def test_silent_broadcasting_is_refused():
    with pytest.raises(ValueError, match=r"\(9, 6\) have targets of shape \(9, 1\)"):
        mean_squared_error(P, ONE_HOT[:, :1])
