import numpy as np
import pytest
import torch
from torch import nn

from tests.training.helpers import generator
from tuner.training.diagnostics.weights import HISTOGRAM_BINS, measure_weights


def test_are_numpys_numbers():
    layer = nn.Linear(30, 40)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(40, 30, generator=generator()))
        layer.weight[:10] = 0
    (measured,) = measure_weights(layer).values()
    values = layer.weight.detach().double().numpy().ravel()
    assert measured.mean == pytest.approx(values.mean())
    assert measured.std == pytest.approx(values.std())
    assert measured.l1 == pytest.approx(np.abs(values).sum())
    assert measured.l2 == pytest.approx(np.sqrt((values**2).sum()))
    assert measured.zero_share == 0.25
    counts, edges = np.histogram(values, HISTOGRAM_BINS)
    assert measured.counts == tuple(counts)
    assert measured.edges == pytest.approx(edges)


def test_weights_that_are_all_equal_lie_in_one_bin():
    layer = nn.Linear(3, 4)
    nn.init.zeros_(layer.weight)
    measured = measure_weights(layer)["weight"]
    assert (measured.zero_share, measured.l1, measured.l2) == (1, 0, 0)
    assert sum(measured.counts) == max(measured.counts) == 12
    assert (measured.edges[0], measured.edges[-1]) == (-0.5, 0.5)


def test_biases_and_norms_are_no_weights():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.PReLU(), nn.Flatten(), nn.Linear(2, 2))
    assert list(measure_weights(model)) == ["0.weight", "4.weight"]
