import math

import pytest
import torch
from torch import nn

from tests.training.layers.networks import adapted, images, network
from tuner.training.layers.concrete import ConcreteDropout, concrete_penalty, concrete_rates


def both(p=0.1):
    return adapted(dropout=p, dropout_conv=2 * p, dropout_kind="concrete").train()


def test_rates_begin_where_the_hyperparameters_say():
    assert concrete_rates(both()) == pytest.approx({"3": 0.2, "6": 0.2, "8": 0.2, "11": 0.1, "14": 0.1})
    assert concrete_rates(network()) == {}


def test_is_the_papers_relaxation():
    """z = sigmoid((log p - log(1 - p) + log u - log(1 - u)) / 0.1), kept (1 - z) / (1 - p)."""
    p, inputs = 0.3, torch.randn(5, 7)
    torch.manual_seed(0)
    u = torch.rand(5, 7).double()
    z = torch.sigmoid((math.log(p) - math.log(1 - p) + u.log() - (1 - u).log()) / 0.1)
    torch.manual_seed(0)
    outputs = ConcreteDropout(p, whole_maps=False).train()(inputs)
    assert torch.allclose(outputs.double(), inputs * (1 - z) / (1 - p), atol=1e-5)


@pytest.mark.parametrize("p", [0.05, 0.3, 0.7])
def test_drops_about_as_often_as_it_says(p):
    torch.manual_seed(0)
    outputs = ConcreteDropout(p, whole_maps=False).train()(torch.ones(300, 300))
    assert (outputs < 0.5 / (1 - p)).float().mean().item() == pytest.approx(p, abs=0.01)
    assert outputs.mean().item() == pytest.approx(1, abs=0.02)


def test_drops_whole_maps_and_single_units_of_tokens():
    maps = ConcreteDropout(0.3, whole_maps=True).train()(torch.ones(6, 5, 4, 4))
    assert torch.equal(maps.amin((2, 3)), maps.amax((2, 3)))
    assert maps[:, :, 0, 0].unique().numel() > 5
    tokens = ConcreteDropout(0.3, whole_maps=False).train()(torch.ones(2, 3, 5))
    assert tokens.unique().numel() > 10


def test_penalty_is_the_divergence_from_the_prior():
    model, count = both().double(), 500
    model(images().double())

    def divergence(p, features, weight):  # equation 3 with M = weight / (1 - p) and l = 1, minus K times equation 4
        entropy = -p * math.log(p) - (1 - p) * math.log(1 - p)
        return (1 - p) / 2 * (weight / (1 - p)).square().sum().item() - features * entropy

    # The layer behind each site: a block's first convolution, and the linear layers. The last maps are pooled.
    behind = {3: model[4].conv1, 6: model[7].conv1, 8: model[12], 11: model[12], 14: model[15]}
    expected = sum(
        divergence(0.2 if site < 10 else 0.1, 10 if site == 14 else 8, layer.weight) for site, layer in behind.items()
    )
    penalty = concrete_penalty(model, count)
    assert penalty.shape == ()
    assert penalty.item() == pytest.approx(expected / count, rel=1e-5)
    assert concrete_penalty(network(), count).item() == 0


def test_penalty_pulls_rates_towards_a_half_and_weights_towards_zero():
    for p, sign in ((0.1, -1), (0.9, 1)):
        site = ConcreteDropout(p, whole_maps=False)
        model = nn.Sequential(site, nn.Linear(20, 1)).train()
        nn.init.constant_(model[1].weight, 1e-3)
        model(torch.ones(2, 20))
        concrete_penalty(model, 100).backward()
        assert site.p_logit.grad.sign().item() == sign
        assert (model[1].weight.grad > 0).all()


def test_learns_to_keep_what_is_needed_and_to_drop_what_is_not():
    """A regression whose noise-free answer suffers from any dropout, against one that the inputs say nothing about."""
    rates = []
    for needed in (True, False):
        torch.manual_seed(0)
        model = nn.Sequential(ConcreteDropout(0.3, whole_maps=False), nn.Linear(8, 1)).train()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        for _ in range(300):
            inputs = torch.randn(64, 8)
            answers = 3 * inputs.sum(1, keepdim=True) if needed else torch.zeros(64, 1)
            loss = (model(inputs) - answers).square().mean() + concrete_penalty(model, 200)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        rates += concrete_rates(model).values()
    assert rates[0] < 0.05
    assert rates[1] == pytest.approx(0.5, abs=0.1)
