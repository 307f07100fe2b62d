import math

import pytest
import torch
from torch import nn
from torch.nn import functional
from torchvision.models import mobilenet_v3_small
from torchvision.ops import SqueezeExcitation

from tests.training.layers.networks import adapted, images, kinds, network
from tuner.hyperparameters.table import FIELDS
from tuner.training.layers.activations import ACTIVATIONS, set_activation

X = torch.linspace(-4, 4, 81, dtype=torch.float64)


class ActivationContract:
    """What every activation promises; a new one inherits this with its formula."""

    name: str

    def formula(self, x):
        raise NotImplementedError

    def test_is_the_formula(self):
        assert torch.allclose(ACTIVATIONS[self.name]().double()(X), self.formula(X))

    def test_takes_the_place_of_the_own_one_everywhere(self):
        model = adapted(activation=self.name)
        kind = type(ACTIVATIONS[self.name]())
        assert len(kinds(model, kind)) == 5
        assert self.name == "relu" or not kinds(model, nn.ReLU)
        assert isinstance(list(model.modules())[-1], nn.Linear)
        model(images()).logsumexp(1).sum().backward()
        assert all(item.grad.any() for item in model.parameters())

    def test_gates_stay(self):
        model = nn.Sequential(SqueezeExcitation(8, 4))
        set_activation(model, self.name)
        assert isinstance(model[0].scale_activation, nn.Sigmoid)
        network_with_gates = mobilenet_v3_small()
        gates = len(kinds(network_with_gates, nn.Hardsigmoid))
        set_activation(network_with_gates, self.name)
        assert len(kinds(network_with_gates, nn.Hardsigmoid)) == gates > 0
        assert not kinds(network_with_gates, nn.Hardswish)


class TestRelu(ActivationContract):
    name = "relu"

    def formula(self, x):
        return x.clamp(min=0)


class TestLeakyRelu(ActivationContract):
    name = "leaky_relu"

    def formula(self, x):
        return torch.where(x > 0, x, 0.01 * x)


class TestPrelu(ActivationContract):
    name = "prelu"

    def formula(self, x):
        return torch.where(x > 0, x, 0.25 * x)

    def test_has_a_slope_of_its_own_at_each_place(self):
        slopes = [module.weight for module in kinds(adapted(activation="prelu"), nn.PReLU)]
        assert len({id(slope) for slope in slopes}) == 5


class TestElu(ActivationContract):
    name = "elu"

    def formula(self, x):
        return torch.where(x > 0, x, x.exp() - 1)


class TestSelu(ActivationContract):
    name = "selu"

    def formula(self, x):  # Klambauer et al. 2017
        return 1.0507009873554805 * torch.where(x > 0, x, 1.6732632423543772 * (x.exp() - 1))


class TestGelu(ActivationContract):
    name = "gelu"

    def formula(self, x):
        return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


class TestSilu(ActivationContract):
    name = "silu"

    def formula(self, x):
        return x / (1 + (-x).exp())


class TestTanh(ActivationContract):
    name = "tanh"

    def formula(self, x):
        return (x.exp() - (-x).exp()) / (x.exp() + (-x).exp())


class TestSigmoid(ActivationContract):
    name = "sigmoid"

    def formula(self, x):
        return 1 / (1 + (-x).exp())


def test_every_activation_has_a_contract_test():
    assert {contract.name for contract in ActivationContract.__subclasses__()} == set(ACTIVATIONS)
    assert ("default", *ACTIVATIONS) == FIELDS["activation"].choices


@pytest.mark.parametrize(
    ("own", "function"),
    [(nn.ReLU6, functional.relu6), (nn.Hardswish, functional.hardswish), (nn.GELU, functional.gelu)],
)
def test_default_is_the_architectures_own(own, function):
    model = nn.Sequential(own())
    set_activation(model, "default")
    assert torch.equal(model(X), function(X))
    set_activation(model, "tanh")
    assert torch.equal(model(X), X.tanh())


def test_default_changes_nothing():
    assert torch.equal(adapted()(images()), network()(images()))
