import torch
from torch import nn

from tests.training.layers.networks import adapted, images, kinds, network
from tuner.hyperparameters.table import resolve
from tuner.training.layers.adapt import adapt
from tuner.training.layers.dropconnect import DropConnectLinear


def test_returns_the_network_it_was_given():
    model = network()
    assert adapt(model, resolve({"norm": "layer"})) is model


def test_without_hyperparameters_a_network_stays_as_it_was_built():
    plain, same = network(), adapted()
    assert [type(m) for m in plain.modules()] == [type(m) for m in same.modules()]
    assert torch.equal(plain.train()(images()), same.train()(images()))


def test_weights_are_drawn_for_the_activation_that_was_chosen():
    tanh, relu = (
        adapted(init="xavier_normal", activation=name).get_submodule("4.conv1").weight for name in ("tanh", "relu")
    )
    assert torch.allclose(tanh / (5 / 3), relu / 2**0.5, atol=1e-6)


def test_biases_that_stand_for_norms_and_layers_that_drop_weights_are_initialized():
    model = adapted(norm="none", init="lecun_normal", dropout=0.5, dropout_kind="dropconnect")
    dropping = kinds(model, DropConnectLinear)
    assert [abs(layer.weight.std().item() * layer.in_features**0.5 - 1) < 0.3 for layer in dropping] == [True, True]
    assert not any(layer.bias.any() for layer in [*dropping, *kinds(model, nn.Conv2d)])


def test_a_pretrained_network_is_only_given_dropout():
    config = {"pretrained": True, "dropout": 0.4, "dropout_conv": 0.3, "dropout_kind": "spatial", "drop_path": 0.2}
    model, plain = adapted(**config), network()
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in plain.state_dict().items())
    assert len(kinds(model, nn.BatchNorm2d)) == len(kinds(plain, nn.BatchNorm2d))
    assert [module.p for module in kinds(model, nn.Dropout)] == [0.4, 0.4]
    assert [module.p for module in kinds(model, nn.Dropout2d)] == [0.3, 0.3, 0.3]
    assert torch.equal(model.eval()(images()), plain.eval()(images()))
