import math

import pytest
import torch
from torch import nn

from tests.training.layers.networks import adapted, images, kinds, network
from tuner.hyperparameters.table import FIELDS, resolve
from tuner.training.layers.initialization import INITS, initialize

SQRT2 = math.sqrt(2)


def layers():
    """A convolution and a linear layer with fewer inputs than outputs, behind a relu."""
    return nn.Sequential(nn.Conv2d(32, 64, 3), nn.ReLU(), nn.Linear(300, 500))


def drawn(name, model=None, seed=0, **config):
    """Return the weights of a convolution 32 -> 64 (3x3) and of a linear layer 300 -> 500, after biases of ones."""
    torch.manual_seed(seed)
    model = model or layers()
    initialize(model, resolve({"init": name, **config}).model)
    return model[0].weight.detach(), model[2].weight.detach()


class InitContract:
    """What every way to draw the weights promises; a new one inherits this with its formula."""

    name: str
    uniform = False  # else normal
    fans = ((32 * 9, 64 * 9), (300, 500))

    def std(self, fan_in, fan_out, gain):
        raise NotImplementedError

    def test_variance_is_the_formula(self):
        for weight, (fan_in, fan_out) in zip(drawn(self.name), self.fans, strict=True):
            expected = self.std(fan_in, fan_out, SQRT2)
            assert weight.std().item() == pytest.approx(expected, rel=0.02)
            assert weight.mean().item() == pytest.approx(0, abs=0.02 * expected)

    def test_shape_of_the_distribution(self):
        for weight in drawn(self.name):
            standard = weight.double() / weight.std()
            if self.uniform:
                assert standard.abs().max().item() == pytest.approx(math.sqrt(3), rel=0.02)
            assert (standard.abs() < 1).double().mean().item() == pytest.approx(
                1 / math.sqrt(3) if self.uniform else math.erf(1 / SQRT2), abs=0.01
            )

    def test_draws_from_the_global_generator(self):
        one, same, other = (drawn(self.name, seed=seed)[0] for seed in (0, 0, 1))
        assert torch.equal(one, same)
        assert not torch.equal(one, other)

    def test_biases_are_zero_and_norms_stay(self):
        model = network()
        for norm in kinds(model, nn.BatchNorm2d):
            nn.init.constant_(norm.weight, 0.3)
        initialize(model, resolve({"init": self.name}).model)
        assert not any(layer.bias.any() for layer in kinds(model, nn.Linear))
        assert all((norm.weight == 0.3).all() for norm in kinds(model, nn.BatchNorm2d))


class WithGain(InitContract):
    """Those whose spread depends on the model's activation."""

    @pytest.mark.parametrize(
        ("activation", "gain"),
        [
            *((name, SQRT2) for name in ("relu", "elu", "gelu", "silu")),
            *(("tanh", 5 / 3), ("sigmoid", 1), ("selu", 3 / 4)),
            *(("leaky_relu", math.sqrt(2 / (1 + 0.01**2))), ("prelu", math.sqrt(2 / (1 + 0.25**2)))),
        ],
    )
    def test_gain_is_that_of_the_activation(self, activation, gain):
        model = adapted(activation=activation, init=self.name)
        weight = torch.cat([layer.weight.flatten() for layer in kinds(model, nn.Conv2d)[1:]])
        assert weight.std().item() == pytest.approx(self.std(8 * 9, 8 * 9, gain), rel=0.05)


class TestXavierUniform(WithGain):
    name, uniform = "xavier_uniform", True

    def std(self, fan_in, fan_out, gain):
        return gain * math.sqrt(2 / (fan_in + fan_out))


class TestXavierNormal(WithGain):
    name = "xavier_normal"

    def std(self, fan_in, fan_out, gain):
        return gain * math.sqrt(2 / (fan_in + fan_out))


class Kaiming(WithGain):
    """Variance gain^2 / fan, which is 2 / fan for relu."""

    def std(self, fan_in, fan_out, gain):
        return gain / math.sqrt(fan_in)

    def test_fan_out_keeps_the_variance_of_gradients(self):
        assert drawn(self.name)[0].std().item() == pytest.approx(0.083, abs=0.001)
        assert drawn(self.name, init_mode="fan_out")[0].std().item() == pytest.approx(0.059, abs=0.001)


class TestKaimingUniform(Kaiming):
    name, uniform = "kaiming_uniform", True


class TestKaimingNormal(Kaiming):
    name = "kaiming_normal"

    def test_keeps_the_variance_through_many_layers(self):
        torch.manual_seed(0)
        model = nn.Sequential(*(layer for _ in range(20) for layer in (nn.Linear(256, 256), nn.ReLU())))
        initialize(model, resolve({"init": "kaiming_normal"}).model)
        outputs = model(torch.randn(200, 256))
        assert outputs.square().mean().item() == pytest.approx(1, abs=0.5)


class TestLecunNormal(InitContract):
    name = "lecun_normal"

    def std(self, fan_in, fan_out, gain):
        return math.sqrt(1 / fan_in)


class TestTruncNormal(InitContract):
    name = "trunc_normal"

    def std(self, fan_in, fan_out, gain):
        return 0.02


class TestUniform(InitContract):
    name, uniform = "uniform", True

    def std(self, fan_in, fan_out, gain):
        return 0.05 / math.sqrt(3)


class TestOrthogonal(InitContract):
    name = "orthogonal"
    fans = ((32 * 9, 64), (300, 500))  # columns and rows; whichever are fewer are orthogonal, each of length gain

    def std(self, fan_in, fan_out, gain):
        return gain / math.sqrt(max(fan_in, fan_out))

    @pytest.mark.parametrize(("activation", "gain"), [("relu", SQRT2), ("tanh", 5 / 3)])
    def test_rows_or_columns_are_orthogonal(self, activation, gain):
        model = adapted(activation=activation, init="orthogonal")
        for layer in [*kinds(model, nn.Conv2d), *kinds(model, nn.Linear)]:
            matrix = layer.weight.detach().flatten(1)
            products = matrix @ matrix.T if len(matrix) < matrix[0].numel() else matrix.T @ matrix
            assert torch.allclose(products, gain**2 * torch.eye(len(products)), atol=1e-4)


class TestZeros:
    name = "zeros"

    @pytest.mark.parametrize("norm", ["batch", "none"])
    def test_only_the_last_bias_learns(self, norm):
        model = adapted(init="zeros", norm=norm).train()
        before = {name: value.detach().clone() for name, value in model.named_parameters()}
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        for step in range(4):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images(seed=step)), torch.tensor([0, 0, 1, 0])).backward()
            optimizer.step()
        moved = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
        assert moved == {"15.bias"}


def test_every_init_has_a_contract_test():
    tested = {InitContract, WithGain, Kaiming}
    named = {leaf.name for parent in tested for leaf in parent.__subclasses__() if leaf not in tested}
    assert named | {TestZeros.name} == set(INITS)
    assert {"default", *INITS} == set(FIELDS["init"].choices)


def test_default_leaves_the_architectures_own_weights():
    plain, same = network().state_dict(), adapted(init="default").state_dict()
    assert all(torch.equal(plain[name], same[name]) for name in plain)
