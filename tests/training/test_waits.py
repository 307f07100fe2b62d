"""What looks for waits sees them."""

import pytest
import torch

from tests.training.waits import HostReads


@pytest.mark.parametrize(
    "wait",
    [
        lambda tensor: tensor.sum().item(),
        lambda tensor: bool(tensor.any()),
        lambda tensor: tensor[tensor > 0],
        lambda tensor: tensor.nonzero(),
        lambda tensor: tensor.tolist(),
        lambda tensor: tensor.unique(),
        lambda tensor: torch.tensor([1, 2]),
    ],
)
def test_a_planted_wait_is_counted(monkeypatch, wait):
    with HostReads(monkeypatch) as reads:
        wait(torch.arange(3))
    assert reads.count > 0
