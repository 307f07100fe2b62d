import pytest
import torch
from torch import nn

from tests.training.layers.networks import adapted, kinds, network
from tuner.training.layers.dropconnect import DropConnectConv2d, DropConnectLinear, drop_weights
from tuner.training.layers.sites import MapSite, UnitSite


def dropping(p=0.25, **settings):
    """A convolution of unusual settings and its plain original, sharing parameters."""
    torch.manual_seed(0)
    plain = nn.Conv2d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2, padding_mode="circular", **settings)
    model = nn.Sequential(MapSite(), plain)
    drop_weights(model, MapSite, nn.Conv2d, p)
    return model[1], plain


def test_drops_single_weights_of_a_linear_layer_and_scales_the_others():
    torch.manual_seed(0)
    plain = nn.Linear(100, 80)
    model = nn.Sequential(UnitSite(), plain)
    drop_weights(model, UnitSite, nn.Linear, 0.25)
    # With a batch of unit vectors the outputs are the weights.
    ratio = (model.train()(torch.eye(100)) - plain.bias) / plain.weight.T
    assert ratio.abs().min().item() == pytest.approx(0, abs=1e-3)
    assert ((ratio.abs() < 1e-2) | ((ratio - 4 / 3).abs() < 1e-2)).all()
    assert (ratio.abs() < 1e-2).float().mean().item() == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("bias", [True, False])
def test_a_convolution_keeps_its_settings_and_parameters(bias):
    layer, plain = dropping(bias=bias)
    inputs = torch.randn(2, 4, 9, 9)
    assert torch.equal(layer.eval()(inputs), plain(inputs))
    assert layer.weight is plain.weight
    assert layer.bias is plain.bias


def test_a_convolution_drops_the_same_weights_for_the_whole_batch():
    layer, plain = dropping()
    inputs = torch.randn(1, 4, 9, 9).expand(3, -1, -1, -1)
    outputs = layer.train()(inputs)
    assert torch.allclose(outputs[0], outputs[2])
    assert not torch.allclose(outputs, plain(inputs))


def test_touches_the_layers_behind_the_sites_alone():
    linear = kinds(adapted(dropout=0.3, dropout_kind="dropconnect"), DropConnectLinear)
    assert [layer.out_features for layer in linear] == [10, 3]
    model = adapted(dropout_conv=0.3, dropout_kind="dropconnect")
    # The first site is read by the first block, the second by the last one, the third by no convolution.
    assert [name for name, m in model.named_modules() if isinstance(m, DropConnectConv2d)] == ["4.conv1", "7.conv1"]
    assert not kinds(network(), DropConnectConv2d)
