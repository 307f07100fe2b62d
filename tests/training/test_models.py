from collections.abc import Mapping
from typing import ClassVar

import pytest
import torch
import torchvision
from torch import nn

from tuner.facts.errors import UsageError
from tuner.hyperparameters.table import resolve
from tuner.training import models


class ModelContract:
    """What every model promises; a new one inherits this with its name."""

    name: str
    config: ClassVar[Mapping[str, object]] = {}

    def build(self, shape=(3, 32, 32), classes=10, seed=0, **config):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return models.build(resolve({"model": self.name, **self.config, **config}), shape, classes)

    @pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (4, 9, 13)])
    def test_gives_logits_for_images_of_any_shape(self, shape):
        model = self.build(shape, classes=7).train()
        assert model(torch.randn(2, *shape)).shape == (2, 7)

    def test_refuses_images_that_are_too_small(self):
        with pytest.raises(UsageError, match="at least 8 x 8 pixels, not 7 x 20"):
            self.build((3, 7, 20))

    def test_gradients_reach_every_parameter(self):
        model = self.build((3, 16, 16))
        model(torch.randn(4, 3, 16, 16)).logsumexp(1).sum().backward()
        assert all(item.grad is not None and item.grad.abs().sum() > 0 for item in model.parameters())

    def test_weights_come_from_the_global_seed(self):
        one, same, other = (self.build((3, 8, 8), seed=seed).state_dict() for seed in (0, 0, 1))
        assert all(torch.equal(one[name], same[name]) for name in one)
        assert any(not torch.equal(one[name], other[name]) for name in one)

    def test_ends_with_a_linear_layer_and_has_dropout_right_before_it(self):
        layers = [m for m in self.build((3, 8, 8), dropout=0.3).modules() if not list(m.children())]
        assert isinstance(layers[-1], nn.Linear)
        assert isinstance(layers[-2], nn.Dropout)
        assert [m.p for m in layers if isinstance(m, nn.Dropout)] == [0.3]

    def test_dropout_scales_what_it_keeps(self):
        dropout = next(m for m in self.build((3, 8, 8), dropout=0.2).modules() if isinstance(m, nn.Dropout))
        dropped = dropout.train()(torch.ones(20_000))
        assert set(dropped.tolist()) == {0.0, 1.25}
        assert dropped.mean().item() == pytest.approx(1, abs=0.02)

    def test_dropout_of_one_gives_the_bias_in_training_and_nothing_in_evaluation(self):
        model = self.build((3, 8, 8), dropout=1.0)
        images = torch.randn(4, 3, 8, 8)
        bias = [m for m in model.modules() if isinstance(m, nn.Linear)][-1].bias
        assert torch.equal(model.train()(images), bias.expand(4, -1))
        model.eval()
        assert torch.equal(model(images), model(images))
        assert not torch.equal(model(images), bias.expand(4, -1))


class TestCnn(ModelContract):
    name = "cnn"

    def test_is_conv_32_conv_64_fc_256(self):
        convs = (3 * 9 + 1) * 32 + (32 * 9 + 1) * 64
        assert models.parameter_count(self.build()) == convs + (64 * 8 * 8 + 1) * 256 + 257 * 10

    def test_width_scales_its_channels(self):
        convs = [m.out_channels for m in self.build(width=5).modules() if isinstance(m, nn.Conv2d)]
        assert convs == [5, 10]


class TestResnet9(ModelContract):
    name = "resnet9"
    config: ClassVar = {"width": 8}

    def test_has_the_published_size(self):
        # Page 2019: 6,573,120 without the bias of the last layer, whose 10 are ours.
        assert models.parameter_count(self.build(width=64)) == 6_573_130

    def test_normalizes_with_the_biased_variance_and_keeps_the_unbiased_one(self):
        model = self.build((1, 8, 8)).train().double()
        images = 3 * torch.randn(5, 1, 8, 8, dtype=torch.float64) + 1
        conv, norm = model[0][0], model[0][1]
        maps = conv(images).transpose(0, 1).flatten(1)
        expected = (maps - maps.mean(1, keepdim=True)) / (maps.var(1, correction=0, keepdim=True) + norm.eps).sqrt()
        got = norm(conv(images)).transpose(0, 1).flatten(1)
        assert torch.allclose(got, expected)
        assert torch.allclose(norm.running_var, 0.9 + 0.1 * maps.var(1, correction=1))
        assert not torch.allclose(norm.eval()(conv(images)).transpose(0, 1).flatten(1), expected)


class TestResnet18(ModelContract):
    name = "resnet18"

    def test_is_torchvisions_but_for_stem_and_head(self):
        ours = {name: value.shape for name, value in self.build().state_dict().items()}
        theirs = {name: value.shape for name, value in torchvision.models.resnet18().state_dict().items()}
        body = {name for name in theirs if not name.startswith("fc")} - {"conv1.weight"}
        assert all(ours[name] == theirs[name] for name in body)
        assert ours["conv1.weight"] == (64, 3, 3, 3)
        assert models.parameter_count(self.build()) == 11_173_962

    def test_stem_keeps_the_size_of_small_images(self):
        model = self.build().eval()
        assert model.maxpool(model.conv1(torch.zeros(1, 3, 32, 32))).shape == (1, 64, 32, 32)


def test_every_model_has_a_contract_test():
    tested = {contract.name for contract in ModelContract.__subclasses__()}
    assert tested == set(models.MODELS)
