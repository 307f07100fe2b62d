import pytest
import torch

from tests.training.helpers import generator
from tuner.training.batches import shuffled_batches, steps_per_epoch


@pytest.mark.parametrize("batch_size", [2, 3, 8, 100])
@pytest.mark.parametrize("images", [2, 3, 8, 9, 17, 24, 25, 33])
def test_every_image_is_in_one_batch_and_no_batch_is_of_one(images, batch_size):
    batches = shuffled_batches(images, batch_size, generator())
    assert sorted(torch.cat(batches).tolist()) == list(range(images))
    assert min(map(len, batches)) > 1
    assert len(batches) == steps_per_epoch(images, batch_size)


def test_a_single_image_left_over_joins_the_batch_before():
    assert [len(batch) for batch in shuffled_batches(17, 8, generator())] == [8, 9]


def test_each_epoch_has_an_order_of_its_own():
    drawing = generator()
    first, second = (torch.cat(shuffled_batches(100, 10, drawing)) for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(first, torch.cat(shuffled_batches(100, 10, generator())))
