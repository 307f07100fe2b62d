from collections.abc import Mapping
from typing import ClassVar

import pytest
import torch
from torch import nn

from tests.training.helpers import generator, small
from tuner.hyperparameters.optimizer import Optimizer
from tuner.hyperparameters.penalties import Penalties
from tuner.training import optimizers
from tuner.training.models import registry as models
from tuner.training.models.finetuning import freeze_backbone, head_parameters

DECAY = 0.1
STEPS = 50


class OptimizerContract:
    """What every optimizer promises; a new one inherits this with its name and its formula."""

    name: str
    settings: ClassVar[Mapping[str, object]] = {}

    def torchs(self, parameters):
        """Return PyTorch's own optimizer with the same settings, over one group that decays."""
        raise NotImplementedError

    def expected(self, weight, gradients):
        """Return the weight after all gradients, in float64, by the published formula, with weight decay."""
        raise NotImplementedError

    def build(self, parameter, **settings):
        groups = [{"params": [parameter], "weight_decay": DECAY}]
        wanted = Optimizer(optimizer=self.name, lr=0.05, **{**self.settings, **settings})
        return optimizers.OPTIMIZERS[self.name](wanted, groups)

    def test_follows_its_formula(self):
        start, gradients = self.start(), self.gradients(6)
        after = self.after(start, gradients, self.build)
        assert torch.allclose(after, self.expected(start, gradients), rtol=1e-10, atol=1e-12)

    @pytest.mark.parametrize("may_be_called_off", [False, True])
    def test_is_torchs(self, may_be_called_off):
        def build(parameter):
            optimizer = self.build(parameter)
            if may_be_called_off:
                optimizer.found_inf = torch.zeros(())
            return optimizer

        start, gradients = self.start(), self.gradients(STEPS)
        expected = self.after(start, gradients, lambda parameter: self.torchs([parameter]))
        assert torch.allclose(self.after(start, gradients, build), expected, rtol=1e-10, atol=1e-12)

    def test_steps_can_be_called_off_on_the_device(self):
        parameter = nn.Parameter(self.start())
        optimizer = self.build(parameter)
        optimizer.found_inf = torch.zeros(())
        gradients = self.gradients(STEPS)
        for step, gradient in enumerate(gradients):
            if step in (0, 7):  # also the first, before which most optimizers have no averages
                before = parameter.detach().clone()
                optimizer.found_inf.fill_(1)
                parameter.grad = torch.full_like(gradient, torch.nan)
                optimizer.step()
                assert torch.equal(parameter, before)
                optimizer.found_inf.fill_(0)
            parameter.grad = gradient.clone()
            optimizer.step()
        assert torch.equal(parameter, self.after(self.start(), gradients, self.build))

    def test_goes_on_from_its_state(self):
        gradients = self.gradients(8)
        parameter = nn.Parameter(self.start())
        optimizer = self.build(parameter)
        for step, gradient in enumerate(gradients):
            if step == 4:
                state = optimizer.state_dict()
                optimizer = self.build(parameter)
                optimizer.load_state_dict(state)
            parameter.grad = gradient.clone()
            optimizer.step()
        assert torch.equal(parameter, self.after(self.start(), gradients, self.build))

    def start(self):
        return torch.randn(4, 3, dtype=torch.float64, generator=generator())

    def gradients(self, steps):
        return torch.randn(steps, 4, 3, dtype=torch.float64, generator=generator(1))

    def after(self, start, gradients, build):
        """Return the weight after a step with each gradient."""
        parameter = nn.Parameter(start.clone())
        optimizer = build(parameter)
        for gradient in gradients:
            parameter.grad = gradient.clone()
            optimizer.step()
        return parameter.detach()


class SgdContract(OptimizerContract):
    name = "sgd"
    nesterov = False

    def torchs(self, parameters):
        return torch.optim.SGD(parameters, lr=0.05, weight_decay=DECAY, momentum=0.9, nesterov=self.nesterov)

    def expected(self, weight, gradients):
        buffer = None
        for gradient in gradients:
            decayed = gradient + DECAY * weight
            buffer = decayed if buffer is None else 0.9 * buffer + decayed
            weight = weight - 0.05 * (decayed + 0.9 * buffer if self.nesterov else buffer)
        return weight


class TestSgd(SgdContract):
    settings: ClassVar = {"momentum": 0.9}

    def test_nesterov_without_momentum_is_plain(self):
        parameter = nn.Parameter(torch.ones(1))
        optimizer = self.build(parameter, momentum=0.0, nesterov=True)
        parameter.grad = torch.ones(1)
        optimizer.step()
        assert parameter.item() == pytest.approx(1 - 0.05 * (1 + DECAY))


class TestNesterov(SgdContract):
    settings: ClassVar = {"momentum": 0.9, "nesterov": True}
    nesterov = True


class AdamContract(OptimizerContract):
    settings: ClassVar = {"beta1": 0.8, "beta2": 0.95, "eps": 1e-3}
    decoupled: bool

    def torchs(self, parameters):
        kind = torch.optim.AdamW if self.decoupled else torch.optim.Adam
        return kind(parameters, lr=0.05, weight_decay=DECAY, betas=(0.8, 0.95), eps=1e-3)

    def expected(self, weight, gradients):
        first = second = torch.zeros_like(weight)
        for step, gradient in enumerate(gradients, 1):
            if self.decoupled:
                weight, decayed = weight * (1 - 0.05 * DECAY), gradient
            else:
                decayed = gradient + DECAY * weight
            first = 0.8 * first + 0.2 * decayed
            second = 0.95 * second + 0.05 * decayed**2
            root = (second / (1 - 0.95**step)).sqrt() + 1e-3  # eps outside the root
            weight = weight - 0.05 * first / (1 - 0.8**step) / root
        return weight


class TestAdam(AdamContract):
    name = "adam"
    decoupled = False


class TestAdamw(AdamContract):
    name = "adamw"
    decoupled = True


class RmspropContract(OptimizerContract):
    name = "rmsprop"
    momentum, centered = 0.0, False

    def torchs(self, parameters):
        return torch.optim.RMSprop(
            parameters, 0.05, weight_decay=DECAY, alpha=0.9, eps=1e-3, momentum=self.momentum, centered=self.centered
        )

    def expected(self, weight, gradients):
        square = mean = buffer = torch.zeros_like(weight)
        for gradient in gradients:
            decayed = gradient + DECAY * weight
            square = 0.9 * square + 0.1 * decayed**2
            mean = 0.9 * mean + 0.1 * decayed
            root = (square - mean**2 if self.centered else square).sqrt() + 1e-3
            buffer = self.momentum * buffer + decayed / root
            weight = weight - 0.05 * buffer
        return weight


class TestRmsprop(RmspropContract):
    settings: ClassVar = {"alpha": 0.9, "eps": 1e-3, "momentum": 0.0}


class TestCenteredRmspropWithMomentum(RmspropContract):
    settings: ClassVar = {"alpha": 0.9, "eps": 1e-3, "momentum": 0.7, "centered": True}
    momentum, centered = 0.7, True


def test_every_optimizer_has_a_contract_test():
    contracts = (TestSgd, TestAdam, TestAdamw, TestRmsprop)
    assert {contract.name for contract in contracts} == set(optimizers.OPTIMIZERS)


def groups_of(model, penalties=None, **settings):
    """Name of each parameter to the group that it is in."""
    groups = optimizers.parameter_groups(Optimizer(**settings), penalties or Penalties(), model)
    names = {parameter: name for name, parameter in model.named_parameters()}
    placed = [(names[item], group) for group in groups for item in group["params"]]
    assert sorted(name for name, _ in placed) == sorted(names[item] for item in names if item.requires_grad)
    return dict(placed)


@pytest.mark.parametrize("also_rest", [False, True])
def test_norms_and_biases_decay_only_if_asked(also_rest):
    model = models.build(small(model="resnet9", width=4), (1, 8, 8), 10)
    groups = groups_of(model, Penalties(weight_decay=0.3, decay_norms_and_biases=also_rest))
    for prefix, module in model.named_modules():
        for name, _ in module.named_parameters(prefix, recurse=False):
            weight = name.endswith("weight") and isinstance(module, (nn.Conv2d, nn.Linear))
            assert groups[name]["weight_decay"] == (0.3 if weight or also_rest else 0.0)


def test_learned_dropout_rates_never_decay():
    model = models.build(small(dropout=0.2, dropout_conv=0.1, dropout_kind="concrete"), (1, 8, 8), 10)
    groups = groups_of(model, Penalties(weight_decay=0.3, decay_norms_and_biases=True))
    rates = [group["weight_decay"] for name, group in groups.items() if name.endswith("p_logit")]
    assert rates == [0.0] * 3
    assert sum(group["weight_decay"] == 0 for group in groups.values()) == 3


def test_the_backbone_may_have_its_own_rate():
    model = models.build(small(), (1, 8, 8), 10)
    head = {id(item) for item in head_parameters(model)}
    groups = groups_of(model, Penalties(weight_decay=0.3), lr=0.1, lr_backbone=0.01)
    for name, parameter in model.named_parameters():
        assert groups[name]["lr"] == (0.1 if id(parameter) in head else 0.01)
        assert groups[name]["weight_decay"] == (0.3 if parameter.ndim > 1 else 0.0)
    first = optimizers.build(Optimizer(lr=0.1, lr_backbone=0.01), Penalties(), model).param_groups[0]
    assert first["lr"] == 0.1  # what schedules report


def test_a_frozen_backbone_is_in_no_group():
    model = models.build(small(), (1, 8, 8), 10)
    freeze_backbone(model)
    assert groups_of(model, Penalties(weight_decay=0.3)).keys() == {
        name for name, parameter in model.named_parameters() if parameter.requires_grad
    }
