import pytest
import torch
from torch import nn
from torchvision.ops import StochasticDepth

from tests.training.layers.networks import CLASSES, Block, adapted, images, kinds, network
from tuner.training.layers.drop_path import set_drop_path
from tuner.training.layers.sites import BranchSite


def branch(p):
    """The last of a network's branches, filled."""
    model = nn.Sequential(BranchSite())
    set_drop_path(model, p)
    return model[0]


def test_rates_grow_linearly_with_depth():
    assert [module.p for module in kinds(adapted(drop_path=0.3), StochasticDepth)] == pytest.approx([0.1, 0.2, 0.3])


def test_torchvisions_own_branches_get_the_same_rates():
    model = nn.Sequential(StochasticDepth(0.9, "row"), BranchSite(), StochasticDepth(0.9, "row"))
    set_drop_path(model, 0.6)
    assert [module.p for module in model] == pytest.approx([0.2, 0.4, 0.6])
    set_drop_path(model, 0.0)
    assert [module.p for module in model] == [0, 0, 0]


def test_zero_leaves_the_network_as_it_is():
    assert not kinds(adapted(), StochasticDepth)
    assert torch.equal(adapted().train()(images()), network().train()(images()))


def test_drops_branches_of_single_images_and_scales_the_others():
    torch.manual_seed(0)
    dropped = branch(0.2).train()(torch.ones(4000, 3, 2, 2)).flatten(1)
    assert torch.equal(dropped.amin(1), dropped.amax(1))
    assert set(dropped.unique().tolist()) == {0.0, 1.25}
    assert (dropped == 0).float().mean().item() == pytest.approx(0.2, abs=0.02)


def test_a_rate_of_one_drops_the_branch_of_every_image():
    inputs = torch.randn(3, 5, requires_grad=True)
    outputs = branch(1.0).train()(inputs)
    outputs.sum().backward()
    assert not outputs.any()
    assert not inputs.grad.any()


def test_an_image_whose_branch_is_dropped_keeps_its_shortcut():
    block = nn.Sequential(Block(4))
    set_drop_path(block, 1.0)
    maps = torch.randn(2, 4, 6, 6)
    assert torch.equal(block.train()(maps), maps.relu())


def test_is_an_identity_in_evaluation_and_keeps_the_state():
    plain, dropping = network(), adapted(drop_path=0.9)
    dropping.load_state_dict(plain.state_dict())
    assert torch.equal(dropping.eval()(images()), plain.eval()(images()))
    assert dropping.train()(images()).shape == (4, CLASSES)


def test_draws_from_the_global_generator_alone():
    inputs = torch.ones(50, 2)
    torch.manual_seed(5)
    one, next_one = branch(0.5)(inputs), branch(0.5)(inputs)
    torch.manual_seed(5)
    assert torch.equal(branch(0.5)(inputs), one)
    assert not torch.equal(next_one, one)
