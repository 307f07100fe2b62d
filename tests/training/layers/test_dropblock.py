import pytest
import torch
import torchvision

from tuner.training.layers.dropblock import DropBlock, seed_rate

SIZES = [(1, 4, 6), (2, 5, 8), (3, 12, 12), (4, 4, 7), (7, 16, 10)]


@pytest.mark.parametrize(("block", "height", "width"), SIZES)
@pytest.mark.parametrize("p", [0.1, 0.4, 0.9])
def test_p_is_the_share_of_dropped_positions(block, height, width, p):
    torch.manual_seed(0)
    dropped = DropBlock(p, block)(torch.ones(400, 50, height, width)) == 0
    assert dropped.float().mean().item() == pytest.approx(p, abs=0.01)


@pytest.mark.parametrize(("block", "height", "width"), SIZES)
def test_the_rate_of_seeds_is_the_papers_where_blocks_do_not_overlap(block, height, width):
    p = 1e-6
    paper = p / block**2 * (height * width) / ((height - block + 1) * (width - block + 1))
    assert seed_rate(p, block, height, width) == pytest.approx(paper, rel=1e-4)
    assert seed_rate(0.5, block, height, width) >= 5e5 * paper
    assert seed_rate(1.0, block, height, width) == 1


@pytest.mark.parametrize("block", [1, 3, 5])
def test_drops_what_torchvision_drops_at_the_same_rate_of_seeds(block, monkeypatch):
    """torchvision's own rate is the paper's; its blocks must be odd."""
    p, maps = 0.2, torch.randn(8, 4, 9, 11)
    paper = p / block**2 * (9 * 11) / ((9 - block + 1) * (11 - block + 1))
    monkeypatch.setattr("tuner.training.layers.dropblock.seed_rate", lambda *_: paper)
    torch.manual_seed(3)
    ours = DropBlock(p, block)(maps)
    torch.manual_seed(3)
    assert torch.allclose(ours, torchvision.ops.drop_block2d(maps, p, block), atol=1e-5)


@pytest.mark.parametrize("block", [2, 3, 4])
def test_dropped_positions_are_squares_within_one_map(block):
    torch.manual_seed(0)
    dropped = DropBlock(0.02, block)(torch.ones(300, 2, 9, 9)) == 0
    counts = dropped.sum((2, 3))
    assert (counts[counts > 0] >= block**2).all()
    single = dropped[counts == block**2]
    assert len(single) > 5
    rows, columns = single.any(2).sum(1), single.any(1).sum(1)
    assert (rows == block).all()
    assert (columns == block).all()
    assert (counts[:, 0] != counts[:, 1]).any()  # each map for itself


def test_what_is_kept_makes_up_for_what_is_not():
    torch.manual_seed(0)
    maps = DropBlock(0.3, 3)(torch.ones(8, 4, 10, 10))
    kept = (maps != 0).float().mean().item()
    assert maps.max().item() == pytest.approx(1 / kept)


def test_a_block_larger_than_the_map_drops_the_map():
    torch.manual_seed(0)
    maps = DropBlock(0.4, 7)(torch.ones(500, 8, 2, 2)).flatten(2)
    assert torch.equal(maps.amin(2), maps.amax(2))
    assert (maps == 0).float().mean().item() == pytest.approx(0.4, abs=0.03)
