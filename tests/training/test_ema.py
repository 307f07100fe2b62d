import copy

import pytest
import torch
from torch import nn

from tests.training.helpers import generator
from tuner.training.ema import WeightAverage

STEPS = 40


def network():
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.PReLU()).double()


def move(model, drawing):
    """Stand in for a training step: every weight and statistic becomes another one."""
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(torch.randn(tensor.shape, dtype=tensor.dtype, generator=drawing))
            else:
                tensor.add_(1)


@pytest.mark.parametrize("decay", [0.1, 0.7, 0.999])
def test_follows_its_formula_for_weights_and_statistics(decay):
    model = network()
    average, drawing = WeightAverage(model, decay), generator()
    expected = {name: value.clone() for name, value in model.state_dict().items()}
    for step in range(1, STEPS + 1):
        move(model, drawing)
        average.update()
        now = min(decay, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            expected[name] = now * expected[name] + (1 - now) * value if value.is_floating_point() else value.clone()
    got = average.model().state_dict()
    assert got.keys() == expected.keys()
    for name, value in got.items():
        assert torch.allclose(value, expected[name], rtol=1e-12)
    assert got["1.num_batches_tracked"] == STEPS


def test_the_random_beginning_is_soon_forgotten():
    model = nn.Linear(1, 1).double()
    nn.init.constant_(model.weight, 1e6)
    average = WeightAverage(model, 0.9999)
    nn.init.zeros_(model.weight)
    for _ in range(100):
        average.update()
    assert 0 < average.model().weight.item() < 1  # without the warm start 990,049


def test_leaves_the_model_alone_and_asks_for_no_gradients():
    model = network()
    average = WeightAverage(model, 0.5)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    average.update()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert not any(parameter.requires_grad for parameter in average.model().parameters())


def averaged(start, resumed_at):
    """The average over nine steps; at one of them another process takes over."""
    model, drawing = copy.deepcopy(start), generator()
    average = WeightAverage(model, 0.9)
    for step in range(9):
        if step == resumed_at:
            state = average.state_dict()
            average = WeightAverage(model, 0.9)
            average.load_state_dict(state)
        move(model, drawing)
        average.update()
    return average.model().state_dict()


def test_continues_from_its_state():
    start = network()
    straight, resumed = averaged(start, None), averaged(start, 4)
    assert all(torch.equal(value, resumed[name]) for name, value in straight.items())


def test_off_it_is_the_model_itself():
    model = network()
    average = WeightAverage(model, None)
    average.update()
    assert average.model() is model
    assert average.state_dict() == {}
