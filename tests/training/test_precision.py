import copy
import math

import pytest
import torch
from torch import nn

from tests.training.helpers import CPU, digits, run, small
from tuner.facts.errors import DivergedError, UsageError
from tuner.hyperparameters.optimizer import Optimizer
from tuner.hyperparameters.penalties import Penalties
from tuner.hyperparameters.stability import Stability
from tuner.training import optimizers, penalties, precision
from tuner.training.precision import LossScale, autocast
from tuner.training.steps import GuardedStep


@pytest.mark.parametrize("name", precision.PRECISIONS)
def test_layers_compute_in_it_and_weights_stay_float32(name):
    layer, context = nn.Linear(3, 2), autocast(name, CPU)
    for _ in range(2):  # entered again for each batch
        with context:
            output = layer(torch.ones(4, 3))
        assert output.dtype == precision.PRECISIONS[name]
    output.float().sum().backward()
    assert layer.weight.dtype == layer.weight.grad.dtype == torch.float32


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_learns_what_float32_learns(name):
    reports, exact = (run(small(epochs=2, lr=0.1, precision=chosen), digits())[0] for chosen in (name, "float32"))
    assert exact[-1]["train_loss"] < 0.9 * exact[0]["train_loss"]
    for got, wanted in zip(reports, exact, strict=True):
        assert got != wanted
        assert got["train_loss"] == pytest.approx(wanted["train_loss"], rel=0.25)
        assert ("skip_share" in got) == (name == "float16")


def test_a_gpu_without_bfloat16_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "GPU of 2018")
    with pytest.raises(UsageError, match="GPU of 2018 has no bfloat16; use precision float16"):
        autocast("bfloat16", torch.device("cuda"))


class TestLossScale:
    def test_moves_as_torchs(self, monkeypatch):
        monkeypatch.setattr(precision, "_STEPS_TO_GROWTH", 3)
        torchs = torch.amp.GradScaler("cpu", growth_interval=3)
        weight = nn.Parameter(torch.zeros(1))
        optimizer = torch.optim.SGD([weight], lr=0.1)
        scale = LossScale(CPU, enabled=True)
        for overflow in (False, True, False, False, False, False, False, True, True, False, False, False, False):
            weight.grad = torch.full((1,), math.inf if overflow else 1.0)
            torchs.scale(torch.ones(()))
            torchs.step(optimizer)
            torchs.update()
            scale.update(torch.tensor(overflow))
            assert scale.scaled(torch.ones(())).item() == torchs.get_scale()

    def test_gradients_are_divided_exactly(self):
        scale = LossScale(CPU, enabled=True)
        weight = nn.Parameter(torch.tensor([0.3, 1e-7]))
        scale.scaled((weight**2).sum()).backward()
        assert weight.grad.abs().min() > 1e-3
        scale.unscale_([weight.grad])
        assert torch.equal(weight.grad, 2 * weight.detach())

    def test_disabled_it_passes_everything_through(self):
        scale = LossScale(CPU, enabled=False)
        loss, gradient = torch.tensor(3.0), torch.tensor([2.0])
        assert scale.scaled(loss) is loss
        scale.unscale_([gradient])
        assert gradient.item() == 2.0

    def test_continues_from_its_state(self):
        one, other = (LossScale(CPU, enabled=True) for _ in range(2))
        one.update(torch.tensor(True))
        one.update(torch.tensor(False))
        state = one.state_dict()
        other.load_state_dict(state)
        one.update(torch.tensor(True))
        assert state["scale"].item() == 2.0**15  # a copy
        other.update(torch.tensor(True))
        assert all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


class Overflowing:
    """A model of one weight whose steps are given, some of them with a gradient that overflowed."""

    def __init__(self, optimizer="sgd", **settings):
        self.model = nn.Linear(2, 2)
        nn.init.constant_(self.model.weight, 0.5)
        held = Penalties(l1=0.1, l1_proximal=True, max_norm=0.6, **settings)
        self.optimizer = optimizers.build(Optimizer(optimizer=optimizer, lr=0.01), held, self.model)
        projections = penalties.projections(held, self.model, self.optimizer)
        self.scale = LossScale(CPU, enabled=True)
        self.guard = GuardedStep(
            self.model, self.optimizer, Stability(clip_grad_norm=1.0), self.scale, projections, gated=False
        )

    def step(self, gradient, loss=1.0):
        factor = self.scale.scaled(torch.ones(()))
        for parameter in self.model.parameters():
            parameter.grad = torch.full_like(parameter, gradient) * factor
        self.guard(torch.tensor(loss), 1)

    def finish(self):
        return self.guard.finish_epoch(self.guard.sums().tolist())


@pytest.mark.parametrize("optimizer", optimizers.OPTIMIZERS)
def test_a_step_that_overflows_is_skipped_and_nothing_else(optimizer):
    trial = Overflowing(optimizer)
    plain = copy.deepcopy(trial.model.state_dict())
    for gradient in (math.inf, 0.3, math.nan, -math.inf, 0.2):
        trial.step(gradient)
    means = trial.finish()
    other = Overflowing(optimizer)
    other.model.load_state_dict(plain)
    for gradient in (0.3, 0.2):
        other.step(gradient)
    assert all(
        torch.equal(one, same) for one, same in zip(trial.model.parameters(), other.model.parameters(), strict=True)
    )
    assert means.skip_share == pytest.approx(3 / 5)
    expected = other.finish()
    assert expected.skip_share == 0
    assert (means.grad_norm, means.clip_share, means.objective) == (expected.grad_norm, expected.clip_share, 1.0)
    assert means.grad_norms == expected.grad_norms
    assert trial.scale.scaled(torch.ones(())).item() == 2.0**13


def test_a_loss_that_is_not_finite_is_divergence_at_once():
    trial = Overflowing()
    trial.step(0.1)
    before = trial.model.weight.detach().clone()
    trial.step(0.1, loss=math.nan)
    trial.step(0.1)
    assert torch.equal(trial.model.weight, before)
    with pytest.raises(DivergedError):
        trial.finish()


@pytest.mark.parametrize(("steps", "diverges"), [(16, False), (17, True)])
def test_a_gradient_that_overflows_without_scale_is_divergence(steps, diverges):
    trial = Overflowing()
    for _ in range(steps):
        trial.step(math.inf)
    if diverges:
        with pytest.raises(DivergedError):
            trial.finish()
    else:
        assert trial.finish().skip_share == 1.0
