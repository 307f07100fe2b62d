import pytest
import torch
import torchvision
from torch import nn

from tests.training.helpers import generator
from tuner.training.diagnostics.activations import measure_activations
from tuner.training.layers.activations import ACTIVATIONS, OWN_ACTIVATIONS

MAKERS = {**ACTIVATIONS, **{f"own {kind.__name__}": kind for kind in OWN_ACTIVATIONS}}


def images(count=16, channels=3, side=8):
    return torch.randn(count, channels, side, side, generator=generator())


class Tokens(nn.Module):
    """[B, C, H, W] to [B, H, W, C], as ConvNeXt, or to [B, H W, C], as transformers."""

    def __init__(self, keep_positions):
        super().__init__()
        self.keep_positions = keep_positions

    def forward(self, maps):
        moved = maps.permute(0, 2, 3, 1)
        return moved if self.keep_positions else moved.flatten(1, 2)


@pytest.mark.parametrize("name", MAKERS)
def test_every_activation_is_measured_after_it(name):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), MAKERS[name]())
    (measured,) = measure_activations(model, images()).values()
    expected = model(images()).double().detach()
    assert measured.mean == pytest.approx(expected.mean().item(), abs=1e-6)
    assert measured.std == pytest.approx(expected.std(correction=0).item(), rel=1e-5)
    assert measured.dead_share == 0


def test_a_unit_is_dead_if_it_is_zero_for_every_image_and_position():
    model = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 64, 8), nn.ReLU())
    with torch.no_grad():
        model[0].weight.zero_()
        model[0].bias.copy_(torch.tensor([-1.0, 0.0, -1.0, 1.0]))
        model[0].weight[2] = 1  # alive at one position of one image alone
        model[3].weight.zero_()
        model[3].bias.copy_(torch.tensor([1.0] * 6 + [-1.0] * 2))
    batch = torch.zeros(5, 1, 8, 8)
    batch[3, 0, 2, 6] = 2.0
    measured = measure_activations(model, batch)
    assert [one.dead_share for one in measured.values()] == [2 / 4, 2 / 8]


@pytest.mark.parametrize("keep_positions", [False, True])
def test_after_a_linear_layer_units_are_the_last_axis(keep_positions):
    model = nn.Sequential(nn.Conv2d(3, 5, 1), Tokens(keep_positions), nn.Linear(5, 10), nn.LayerNorm(10), nn.ReLU())
    with torch.no_grad():
        model[3].bias[:4] = -100
    assert [one.dead_share for one in measure_activations(model, images()).values()] == [pytest.approx(0.4)]


def test_calls_of_one_module_are_told_apart():
    model = torchvision.models.resnet18(num_classes=10)
    measured = measure_activations(model, images(4, side=32))
    assert len(measured) == 17
    assert list(measured)[:4] == ["relu", "layer1.0.relu", "layer1.0.relu#2", "layer1.1.relu"]
    assert measured["layer1.0.relu"] != measured["layer1.0.relu#2"]


class AddsInPlace(nn.Module):
    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, values):
        return self.relu(values).add_(100)


def test_what_comes_later_does_not_change_what_was_measured():
    assert measure_activations(AddsInPlace(), images())["relu"].mean < 1


def test_is_in_eval_mode_and_leaves_the_model_as_it_was():
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(0.9), nn.Conv2d(3, 4, 3), nn.ReLU())
    model[1].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    measured = measure_activations(model, images())
    assert measured == measure_activations(model, images())
    assert [module.training for module in model] == [True, False, True, True]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_a_model_without_activations_has_none():
    assert measure_activations(nn.Conv2d(3, 4, 3), images()) == {}
