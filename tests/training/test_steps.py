import pytest
import torch
from torch import nn

from tests.training.helpers import generator
from tuner.facts.errors import DivergedError
from tuner.training.steps import GuardedStep


def make(clip=None, gated=False):
    weight = nn.Parameter(torch.tensor([3.0, 4.0]))
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9, fused=True)
    return weight, optimizer, GuardedStep(optimizer, clip, gated=gated)


def step(weight, guard, gradient, loss=1.0, images=4):
    weight.grad = torch.tensor(gradient)
    guard(torch.tensor(loss), images)


BROKEN = [
    (float("nan"), [1.0, 1.0]),
    (float("inf"), [1.0, 1.0]),
    (1.0, [1.0, float("inf")]),
    (1.0, [float("nan"), 0.0]),
]


@pytest.mark.parametrize("clip", [None, 0.5])
@pytest.mark.parametrize(("loss", "gradient"), BROKEN)
def test_on_the_cpu_it_raises_before_the_step(loss, gradient, clip):
    weight, optimizer, guard = make(clip)
    step(weight, guard, [1.0, 0.0])
    before, momentum = weight.detach().clone(), optimizer.state[weight]["momentum_buffer"].clone()
    with pytest.raises(DivergedError, match=r"the training loss is|the gradient's norm is"):
        step(weight, guard, gradient, loss)
    assert torch.equal(weight, before)
    assert torch.equal(optimizer.state[weight]["momentum_buffer"], momentum)


@pytest.mark.parametrize("clip", [None, 0.5])
@pytest.mark.parametrize(("loss", "gradient"), BROKEN)
def test_gated_no_later_step_changes_anything_and_the_epoch_ends_in_the_error(loss, gradient, clip):
    weight, optimizer, guard = make(clip, gated=True)
    step(weight, guard, [1.0, 0.0])
    before, momentum = weight.detach().clone(), optimizer.state[weight]["momentum_buffer"].clone()
    step(weight, guard, gradient, loss)
    step(weight, guard, [1.0, 1.0])
    assert torch.equal(weight, before)
    assert torch.equal(optimizer.state[weight]["momentum_buffer"], momentum)
    with pytest.raises(DivergedError, match="not finite"):
        guard.finish_epoch()


@pytest.mark.parametrize("gated", [False, True])
def test_an_infinite_gradient_of_a_finite_loss_is_divergence(gated):
    weight = nn.Parameter(torch.zeros(1))
    guard = GuardedStep(torch.optim.SGD([weight], lr=0.1, fused=True), 1.0, gated=gated)
    loss = weight.sqrt().sum()
    loss.backward()
    assert torch.isfinite(loss)
    with pytest.raises(DivergedError):
        guard(loss.detach(), 1)
        guard.finish_epoch()
    assert weight.item() == 0


@pytest.mark.parametrize("gated", [False, True])
def test_means_weigh_images_and_norms_are_taken_before_clipping(gated):
    weight, _, guard = make(clip=5.5, gated=gated)
    step(weight, guard, [3.0, 4.0], loss=1.0, images=10)
    step(weight, guard, [6.0, 8.0], loss=4.0, images=5)
    means = guard.finish_epoch()
    assert (means.objective, means.grad_norm, means.clip_share) == pytest.approx((2.0, 7.5, 0.5))
    step(weight, guard, [0.0, 1.0], loss=7.0, images=1)
    means = guard.finish_epoch()
    assert (means.objective, means.grad_norm, means.clip_share) == pytest.approx((7.0, 1.0, 0.0))


def test_clipping_scales_by_the_published_coefficient():
    weight, _, guard = make(clip=2.0)
    step(weight, guard, [6.0, 8.0])
    assert weight.grad.tolist() == pytest.approx([6 * 2 / (10 + 1e-6), 8 * 2 / (10 + 1e-6)], rel=1e-6)
    weight, _, guard = make(clip=20.0)
    step(weight, guard, [6.0, 8.0])
    assert weight.grad.tolist() == [6.0, 8.0]


def test_gated_and_checked_make_the_same_steps():
    gradients = torch.randn(20, 2, generator=generator()).tolist()
    ended = []
    for gated in (False, True):
        weight, _, guard = make(clip=1.0, gated=gated)
        for gradient in gradients:
            step(weight, guard, gradient)
        ended.append((weight.detach(), guard.finish_epoch()))
    assert torch.equal(ended[0][0], ended[1][0])
    assert ended[0][1] == ended[1][1]
