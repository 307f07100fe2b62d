import pytest
import torch
from torch import nn

from tests.training.helpers import generator
from tuner.hyperparameters.optimizer import Optimizer
from tuner.hyperparameters.penalties import Penalties
from tuner.training import optimizers, penalties
from tuner.training.parameters import is_weight, penalized

LR = 0.05
MADE, CALLED_OFF = torch.ones(()), torch.zeros(())


def network():
    """Two weights, three biases or norm parameters, in float64, none of them zero."""
    model = nn.Sequential(nn.Conv2d(2, 3, 3, bias=False), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3, 4)).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, dtype=torch.float64, generator=generator()))
    return model


def norms_and_biases(model):
    return [model[1].weight, model[1].bias, model[3].bias]


def step(model, settings, **optimizer_settings):
    """One step on the penalties alone, with their projections."""
    optimizer = optimizers.build(Optimizer(lr=LR, **optimizer_settings), settings, model)
    added = penalties.penalty(settings, model)()
    if isinstance(added, torch.Tensor) and added.requires_grad:
        added.backward()
    for parameter in model.parameters():
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for project in penalties.projections(settings, model, optimizer):
        project(MADE)
    return torch.as_tensor(added).item()


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.0), (0.3, 0.0), (0.0, 0.2), (0.3, 0.2)])
class TestElasticNet:
    def settings(self, l1, l2, everything):
        return Penalties(l1=l1, l2=l2, decay_norms_and_biases=everything)

    def held(self, model, everything):
        return list(model.parameters()) if everything else [model[0].weight, model[3].weight]

    def test_value(self, l1, l2, everything):
        model = network()
        held = self.held(model, everything)
        expected = sum((l1 * item.abs() + l2 / 2 * item**2).sum().item() for item in held)
        value = torch.as_tensor(penalties.penalty(self.settings(l1, l2, everything), model)())
        assert value.item() == pytest.approx(expected)

    def test_gradient(self, l1, l2, everything):
        model, held = network(), []
        with torch.no_grad():
            model[0].weight[0] = 0
        if l1 + l2 > 0:
            penalties.penalty(self.settings(l1, l2, everything), model)().backward()
            held = self.held(model, everything)
        for parameter in model.parameters():
            if any(parameter is item for item in held):
                assert torch.allclose(parameter.grad, l1 * parameter.sign() + l2 * parameter)
            else:
                assert parameter.grad is None


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
def test_l2_is_torchs_weight_decay_where_that_is_not_decoupled(optimizer, everything):
    one, other = network(), network()
    built = [
        (model, settings, optimizers.build(Optimizer(optimizer=optimizer, lr=LR, momentum=0.5), settings, model))
        for model, settings in (
            (one, Penalties(l2=0.3, decay_norms_and_biases=everything)),
            (other, Penalties(weight_decay=0.3, decay_norms_and_biases=everything)),
        )
    ]
    images = torch.randn(50, 4, 2, 3, 3, dtype=torch.float64, generator=generator(1))
    for batch in images:
        for model, settings, steps in built:
            steps.zero_grad()
            (model(batch).square().mean() + penalties.penalty(settings, model)()).backward()
            steps.step()
    for mine, torchs in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.allclose(mine, torchs, rtol=1e-9, atol=1e-11)


def test_adamw_is_decoupled():
    model = network()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    step(model, Penalties(weight_decay=0.3), optimizer="adamw")
    for parameter, old in zip(model.parameters(), before, strict=True):
        assert torch.allclose(parameter, old * (1 - LR * 0.3) if is_weight(parameter) else old)


class TestProximal:
    def test_is_the_soft_threshold_with_exact_zeros(self):
        model = network()
        before = [parameter.detach().clone() for parameter in model.parameters()]
        value = step(model, Penalties(l1=10.0, l1_proximal=True))
        for parameter, old in zip(model.parameters(), before, strict=True):
            if is_weight(parameter):
                assert torch.allclose(parameter, old.sign() * (old.abs() - LR * 10).clamp(min=0))
                assert ((parameter == 0) == (old.abs() <= LR * 10)).all()
                assert 0 < (parameter == 0).sum() < parameter.numel()
            else:
                assert torch.equal(parameter, old)
        assert value == pytest.approx(10.0 * sum(float(old.abs().sum()) for old in before if old.ndim > 1))

    def test_it_has_no_gradient_and_l2_keeps_its_own(self):
        model = network()
        penalties.penalty(Penalties(l1=0.5, l1_proximal=True, l2=0.2), model)().backward()
        assert torch.allclose(model[3].weight.grad, 0.2 * model[3].weight)

    def test_subgradient_steps_reach_no_zero_where_proximal_steps_do(self):
        zeros = {}
        for proximal in (False, True):
            model, settings = network(), Penalties(l1=1.0, l1_proximal=proximal)
            for _ in range(100):
                model.zero_grad()
                step(model, settings, momentum=0.0)
            zeros[proximal] = [int((item == 0).sum()) for item in penalized(settings, model)]
        assert zeros == {False: [0, 0], True: [3 * 2 * 9, 4 * 3]}

    def test_each_group_shrinks_by_its_own_rate(self):
        weights = [nn.Parameter(torch.ones(2, 2)) for _ in range(2)]
        optimizer = torch.optim.SGD([{"params": [weights[0]], "lr": 0.1}, {"params": [weights[1]], "lr": 0.2}])
        project = penalties.soft_threshold(2.0, weights, optimizer)
        optimizer.load_state_dict(optimizer.state_dict())  # which replaces its groups
        optimizer.param_groups[1]["lr"] = 0.3  # and a schedule moves them
        project(MADE)
        assert [item[0, 0].item() for item in weights] == pytest.approx([0.8, 0.4])


class TestMaxNorm:
    @pytest.mark.parametrize("everything", [False, True])
    def test_is_the_projection_of_each_unit(self, everything):
        model = network()
        before = [parameter.detach().clone() for parameter in model.parameters()]
        step(model, Penalties(max_norm=1.5, decay_norms_and_biases=everything))
        shrunk = 0
        for parameter, old in zip(model.parameters(), before, strict=True):
            for unit, was in zip(parameter, old, strict=True):
                factor = min(1.0, 1.5 / was.norm().item()) if old.ndim > 1 or everything else 1.0
                assert torch.allclose(unit, was * factor)
                shrunk += factor < 1
        assert shrunk > 0

    def test_units_of_norm_zero_stay(self):
        weight = nn.Parameter(torch.zeros(3, 2))
        penalties.max_norm(1.0, [weight])(MADE)
        assert torch.equal(weight, torch.zeros(3, 2))

    def test_memory_format_makes_no_difference(self):
        weight = torch.randn(4, 3, 2, 2, generator=generator())
        other = nn.Parameter(weight.to(memory_format=torch.channels_last))
        same = nn.Parameter(weight.clone())
        penalties.max_norm(1.0, [same, other])(MADE)
        assert torch.allclose(same, other)
        assert same.flatten(1).norm(dim=1).max().item() == pytest.approx(1.0)


def test_projections_can_be_called_off_on_the_device():
    model, settings = network(), Penalties(l1=1.0, l1_proximal=True, max_norm=0.1)
    optimizer = optimizers.build(Optimizer(lr=LR), settings, model)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    projections = penalties.projections(settings, model, optimizer)
    assert len(projections) == 2
    for project in projections:
        project(CALLED_OFF)
    assert all(torch.equal(parameter, old) for parameter, old in zip(model.parameters(), before, strict=True))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((10, 3), True), ((8, 1, 3, 3), True), ((8,), False), ((8, 1, 1), False), ((1, 5, 8), True)],
)
def test_a_weight_has_more_than_one_number_for_a_unit(shape, expected):
    assert is_weight(nn.Parameter(torch.zeros(shape))) is expected


def test_frozen_parameters_are_left_out():
    model = network()
    model[0].weight.requires_grad_(False)
    assert [id(item) for item in penalized(Penalties(), model)] == [id(model[3].weight)]
    assert len(penalized(Penalties(decay_norms_and_biases=True), model)) == 1 + len(norms_and_biases(model))
