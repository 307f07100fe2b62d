from collections.abc import Mapping
from typing import ClassVar

import pytest
import torch
from torch import nn

from tests.training.helpers import generator, small
from tuner.hyperparameters.optimizer import Optimizer
from tuner.hyperparameters.penalties import Penalties
from tuner.training import models, optimizers

DECAY = 0.1


class OptimizerContract:
    """What every optimizer promises; a new one inherits this with its name and its formula."""

    name: str
    settings: ClassVar[Mapping[str, object]] = {}

    def expected(self, weight, gradients):
        """Return the weight after all gradients, in float64, by the published formula, with weight decay."""
        raise NotImplementedError

    def build(self, parameter, **settings):
        groups = [{"params": [parameter], "weight_decay": DECAY}]
        wanted = Optimizer(optimizer=self.name, lr=0.05, **{**self.settings, **settings})
        return optimizers.OPTIMIZERS[self.name](wanted, groups)

    def test_follows_its_formula(self):
        start = torch.randn(4, 3, dtype=torch.float64, generator=generator())
        gradients = torch.randn(6, 4, 3, dtype=torch.float64, generator=generator(1))
        parameter = nn.Parameter(start.clone())
        optimizer = self.build(parameter)
        for gradient in gradients:
            parameter.grad = gradient.clone()
            optimizer.step()
        assert torch.allclose(parameter.detach(), self.expected(start, gradients), rtol=1e-10, atol=1e-12)

    def test_a_step_can_be_called_off_on_the_device(self):
        parameter = nn.Parameter(torch.ones(3))
        optimizer = self.build(parameter)
        optimizer.found_inf = torch.zeros(())
        parameter.grad = torch.ones(3)
        optimizer.step()
        before = parameter.detach().clone()
        state = {name: value.clone() for name, value in optimizer.state[parameter].items()}
        optimizer.found_inf.fill_(1)
        parameter.grad = torch.full((3,), torch.nan)
        optimizer.step()
        assert torch.equal(parameter, before)
        assert all(torch.equal(value, state[name]) for name, value in optimizer.state[parameter].items())


class SgdContract(OptimizerContract):
    name = "sgd"
    nesterov = False

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


class TestAdamw(OptimizerContract):
    name = "adamw"
    settings: ClassVar = {"beta1": 0.8, "beta2": 0.95, "eps": 1e-3}

    def expected(self, weight, gradients):
        first = second = torch.zeros_like(weight)
        for step, gradient in enumerate(gradients, 1):
            weight = weight * (1 - 0.05 * DECAY)  # decoupled
            first = 0.8 * first + 0.2 * gradient
            second = 0.95 * second + 0.05 * gradient**2
            root = (second / (1 - 0.95**step)).sqrt() + 1e-3  # eps outside the root
            weight = weight - 0.05 * first / (1 - 0.8**step) / root
        return weight


def test_every_optimizer_has_a_contract_test():
    assert {contract.name for contract in (TestSgd, TestAdamw)} == set(optimizers.OPTIMIZERS)


@pytest.mark.parametrize("also_rest", [False, True])
def test_norms_and_biases_decay_only_if_asked(also_rest):
    model = models.resnet9(small(model="resnet9", width=4), (1, 8, 8), 10)
    penalties = Penalties(weight_decay=0.3, decay_norms_and_biases=also_rest)
    decays = {
        id(item): group["weight_decay"]
        for group in optimizers.parameter_groups(penalties, model)
        for item in group["params"]
    }
    assert len(decays) == len(list(model.parameters()))
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            weight = name == "weight" and isinstance(module, (nn.Conv2d, nn.Linear))
            assert decays[id(parameter)] == (0.3 if weight or also_rest else 0.0)
