import pytest
import torch
from torch import nn

from tests.training.helpers import generator
from tuner.facts.errors import DivergedError
from tuner.hyperparameters.optimizer import Optimizer
from tuner.hyperparameters.penalties import Penalties
from tuner.hyperparameters.stability import Stability
from tuner.training import optimizers, penalties
from tuner.training.precision import LossScale
from tuner.training.steps import GuardedStep


class Holder(nn.Module):
    """A model that is nothing but its parameters."""

    def __init__(self, **parameters):
        super().__init__()
        for name, values in parameters.items():
            self.register_parameter(name, nn.Parameter(torch.tensor(values)))


def make(clip=None, gated=False, value=None):
    model = Holder(weight=[3.0, 4.0])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, fused=True)
    settings = Stability(clip_grad_norm=clip, clip_grad_value=value)
    return model.weight, optimizer, GuardedStep(model, optimizer, settings, unscaled(), gated=gated)


def unscaled():
    return LossScale(torch.device("cpu"), enabled=False)


def finish(guard):
    return guard.finish_epoch(guard.sums().tolist())


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
        finish(guard)


@pytest.mark.parametrize("gated", [False, True])
def test_an_infinite_gradient_of_a_finite_loss_is_divergence(gated):
    model = Holder(weight=[0.0])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, fused=True)
    guard = GuardedStep(model, optimizer, Stability(clip_grad_norm=1.0), unscaled(), gated=gated)
    loss = model.weight.sqrt().sum()
    loss.backward()
    assert torch.isfinite(loss)
    with pytest.raises(DivergedError):
        guard(loss.detach(), 1)
        finish(guard)
    assert model.weight.item() == 0


@pytest.mark.parametrize("gated", [False, True])
def test_means_weigh_images_and_norms_are_taken_before_clipping(gated):
    weight, _, guard = make(clip=5.5, gated=gated)
    step(weight, guard, [3.0, 4.0], loss=1.0, images=10)
    step(weight, guard, [6.0, 8.0], loss=4.0, images=5)
    means = finish(guard)
    assert (means.objective, means.grad_norm, means.clip_share) == pytest.approx((2.0, 7.5, 0.5))
    step(weight, guard, [0.0, 1.0], loss=7.0, images=1)
    means = finish(guard)
    assert (means.objective, means.grad_norm, means.clip_share) == pytest.approx((7.0, 1.0, 0.0))


def test_clipping_scales_by_the_published_coefficient():
    weight, _, guard = make(clip=2.0)
    step(weight, guard, [6.0, 8.0])
    assert weight.grad.tolist() == pytest.approx([6 * 2 / (10 + 1e-6), 8 * 2 / (10 + 1e-6)], rel=1e-6)
    weight, _, guard = make(clip=20.0)
    step(weight, guard, [6.0, 8.0])
    assert weight.grad.tolist() == [6.0, 8.0]


def test_values_are_clipped_before_the_norm_and_both_count():
    weight, _, guard = make(value=3.0)
    step(weight, guard, [-6.0, 2.0])
    assert weight.grad.tolist() == [-3.0, 2.0]
    step(weight, guard, [3.0, -3.0])
    means = finish(guard)
    assert (means.grad_norm, means.clip_share) == pytest.approx(((40**0.5 + 18**0.5) / 2, 0.5))

    weight, _, guard = make(clip=2.5, value=3.0)
    step(weight, guard, [6.0, 8.0])  # its values become 3 and 3
    assert weight.grad.tolist() == pytest.approx([3 * 2.5 / 18**0.5] * 2)
    step(weight, guard, [2.0, 2.0])  # its values stay and its norm is too large
    step(weight, guard, [1.0, 2.0])
    assert finish(guard).clip_share == pytest.approx(2 / 3)


@pytest.mark.parametrize("gated", [False, True])
def test_the_norm_of_each_gradient_is_named_and_taken_before_clipping(gated):
    model = Holder(first=[0.0, 0.0], unused=[1.0], last=[0.0])
    settings = Penalties(decay_norms_and_biases=True)
    optimizer = optimizers.build(Optimizer(lr=0.1), settings, model)
    guard = GuardedStep(model, optimizer, Stability(clip_grad_norm=1.0), unscaled(), gated=gated)
    for scale in (1.0, 3.0):
        model.first.grad, model.last.grad = torch.tensor([3.0, 4.0]) * scale, torch.tensor([-12.0]) * scale
        guard(torch.tensor(1.0), 1)
    means = finish(guard)
    assert means.grad_norms == pytest.approx({"first": 10.0, "unused": 0.0, "last": 24.0})
    assert means.grad_norm == pytest.approx(26.0)
    assert model.unused.item() == 1.0


def test_gated_projections_are_called_off_with_the_step():
    model = Holder(weight=[[3.0, 4.0]])
    settings = Penalties(l1=1.0, l1_proximal=True, max_norm=4.0)
    optimizer = optimizers.build(Optimizer(lr=0.1), settings, model)
    projections = penalties.projections(settings, model, optimizer)
    guard = GuardedStep(model, optimizer, Stability(), unscaled(), projections, gated=True)
    model.weight.grad = torch.zeros(1, 2)
    guard(torch.tensor(1.0), 1)
    after = model.weight.detach().clone()
    assert after.norm().item() == pytest.approx(4.0)
    guard(torch.tensor(float("nan")), 1)
    guard(torch.tensor(1.0), 1)
    assert torch.equal(model.weight, after)


def test_gated_and_checked_make_the_same_steps():
    gradients = torch.randn(20, 2, generator=generator()).tolist()
    ended = []
    for gated in (False, True):
        weight, _, guard = make(clip=1.0, gated=gated)
        for gradient in gradients:
            step(weight, guard, gradient)
        ended.append((weight.detach(), finish(guard)))
    assert torch.equal(ended[0][0], ended[1][0])
    assert ended[0][1] == ended[1][1]
