"""What hyperparameters choose, in one network of each family."""

from copy import deepcopy

import pytest
import torch

from tests.training.layers.networks import kinds
from tuner.hyperparameters.architectures import ARCHITECTURES
from tuner.hyperparameters.table import resolve
from tuner.training.layers.concrete import concrete_penalty, concrete_rates
from tuner.training.layers.dropconnect import DropConnectConv2d, DropConnectLinear
from tuner.training.models.registry import build

#: The smallest member of each family, and what makes our own networks small.
FAMILIES: dict[str, dict[str, object]] = {
    "mlp": {"width": 32},
    "cnn": {"width": 8},
    "resnet9": {"width": 8},
    "vit_small": {"width": 64, "depth": 2},
    **{name: {} for name in ("resnet18", "vgg11", "densenet121", "mobilenet_v2", "mobilenet_v3_small")},
    **{name: {} for name in ("efficientnet_b0", "regnet_y_400mf", "shufflenet_v2_x0_5", "convnext_tiny")},
}


def network(name, **config):
    torch.manual_seed(0)
    maps = {"dropout_conv": config["dropout"]} if "dropout" in config and ARCHITECTURES[name].feature_maps else {}
    hyperparameters = resolve({"model": name, **FAMILIES[name], **config, **maps})
    return build(hyperparameters, (3, 16, 16), 5).to(memory_format=torch.channels_last)


def images():
    drawn = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    return drawn.to(memory_format=torch.channels_last)


def test_there_is_one_of_each_family():
    assert {ARCHITECTURES[name].family for name in FAMILIES} == {item.family for item in ARCHITECTURES.values()}


@pytest.mark.parametrize("name", FAMILIES)
class TestEachFamily:
    def test_learned_rates_get_gradients_from_every_site(self, name):
        model = network(name, dropout=0.2, dropout_kind="concrete").train()
        loss = model(images()).logsumexp(1).mean() + concrete_penalty(model, 100)
        loss.backward()
        logits = [value for key, value in model.named_parameters() if key.endswith("p_logit")]
        assert len(logits) == len(concrete_rates(model)) > 0
        assert all(logit.grad.isfinite() and logit.grad != 0 for logit in logits)

    def test_dropconnect_drops_weights_and_keeps_the_state(self, name):
        plain, dropping = network(name), network(name, dropout=0.3, dropout_kind="dropconnect")
        layers = [*kinds(dropping, DropConnectConv2d), *kinds(dropping, DropConnectLinear)]
        assert len(layers) > 1
        assert plain.state_dict().keys() == dropping.state_dict().keys()
        assert torch.equal(plain.eval()(images()), dropping.eval()(images()))


@pytest.mark.parametrize("name", [name for name in FAMILIES if ARCHITECTURES[name].norm is not None])
def test_without_norms_nothing_in_place_reaches_a_shortcut(name):
    model = network(name, norm="none").eval()
    other = deepcopy(model)
    for module in other.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    assert torch.equal(model(images()), other(images()))
