from collections.abc import Mapping
from copy import deepcopy
from typing import ClassVar

import pytest
import torch
from torch import nn

from tests.training.layers.networks import adapted, images, kinds, network
from tuner.facts.errors import UsageError
from tuner.hyperparameters.table import FIELDS, resolve
from tuner.training.layers.dropouts import DROPOUTS, fill_sites
from tuner.training.layers.sites import MapSite, UnitSite

CHANNELS = 4
PARTS = ("dropout", "dropout_conv")


def small(part):
    """One site and the layer behind it: units [B, 4] or maps [B, 4, 6, 6] to two numbers or maps."""
    torch.manual_seed(0)
    if part == "dropout":
        return nn.Sequential(UnitSite(), nn.Linear(CHANNELS, 2)), torch.rand(3, CHANNELS) + 0.5
    constant = torch.rand(3, CHANNELS, 1, 1).expand(-1, -1, 6, 6) + 0.5
    return nn.Sequential(MapSite(), nn.Conv2d(CHANNELS, 2, 1)), constant.contiguous()


@pytest.mark.parametrize("part", PARTS)
class DropoutContract:
    """What every kind of dropout promises; a new one inherits this with its name."""

    name: str
    config: ClassVar[Mapping[str, object]] = {}

    def filled(self, part, p):
        model, inputs = small(part)
        fill_sites(model, resolve({"dropout_kind": self.name, **self.config, part: p}).dropout)
        return model, inputs

    def test_is_an_identity_in_evaluation(self, part):
        plain, filled = network(), adapted(dropout_kind=self.name, **{part: 0.6})
        filled.load_state_dict(plain.state_dict(), strict=self.name != "concrete")
        assert torch.equal(filled.eval()(images()), plain.eval()(images()))
        assert not torch.equal(filled.train()(images()), plain.train()(images()))

    def test_keeps_what_it_expects(self, part):
        model, inputs = self.filled(part, 0.3)
        plain = model.eval()(inputs).detach()
        with torch.no_grad():
            mean = sum(model.train()(inputs) for _ in range(3000)) / 3000
        if part == "dropout_conv":  # blocks reach corners less often than the middle
            mean, plain = mean.mean((2, 3)), plain.mean((2, 3))
        assert mean.flatten().tolist() == pytest.approx(plain.flatten().tolist(), abs=0.05)

    def test_a_rate_of_zero_changes_nothing(self, part):
        assert torch.equal(adapted(dropout_kind=self.name).train()(images()), network().train()(images()))
        site, other = (UnitSite, "dropout_conv") if part == "dropout" else (MapSite, "dropout")
        assert len(kinds(adapted(dropout_kind=self.name, **{other: 0.5}), site)) == len(kinds(network(), site))

    def test_a_rate_of_one_leaves_the_bias_alone(self, part):
        model, inputs = self.filled(part, 1.0)
        outputs = model.train()(inputs.requires_grad_())
        bias = model[1].bias
        assert torch.equal(outputs, bias.view(1, -1, *[1] * (inputs.ndim - 2)).expand_as(outputs))
        outputs.sum().backward()
        assert not inputs.grad.any()

    def test_draws_from_the_global_generator_alone(self, part):
        model, inputs = self.filled(part, 0.5)
        torch.manual_seed(7)
        one, next_one = model.train()(inputs), model(inputs)
        torch.manual_seed(7)
        assert torch.equal(model(inputs), one)
        assert not torch.equal(next_one, one)

    def test_filling_draws_nothing(self, part):
        model, _ = small(part)
        before = torch.get_rng_state()
        fill_sites(model, resolve({"dropout_kind": self.name, part: 0.5}).dropout)
        assert torch.equal(before, torch.get_rng_state())

    def test_gradients_reach_every_parameter_and_the_inputs(self, part):
        model = adapted(dropout_kind=self.name, **{part: 0.3}).train()
        inputs = images(16).to(memory_format=torch.channels_last).requires_grad_()
        model(inputs).logsumexp(1).sum().backward()
        assert all(item.grad.isfinite().all() and item.grad.any() for item in model.parameters())
        assert inputs.grad.any()

    def test_keeps_channels_last_and_the_type(self, part):
        model, inputs = self.filled(part, 0.5)
        if part == "dropout_conv":
            inputs = inputs.to(memory_format=torch.channels_last)
            assert model.train()(inputs).is_contiguous(memory_format=torch.channels_last)
        for kind in (torch.bfloat16, torch.float64):
            assert model.train()[0](inputs.to(kind)).dtype == kind
        with torch.autocast("cpu", torch.bfloat16):
            assert model(inputs).dtype == torch.bfloat16

    def test_a_copy_drops_as_well(self, part):
        model, inputs = self.filled(part, 0.5)
        copy = deepcopy(model).train()
        assert not torch.equal(copy(inputs), copy(inputs))
        assert all(torch.equal(own, its) for own, its in zip(model.parameters(), copy.parameters(), strict=True))

    @pytest.mark.slow
    def test_is_compiled_once_as_one_graph(self, part):
        torch.compiler.reset()
        model = torch.compile(adapted(dropout_kind=self.name, **{part: 0.3}).train(), backend="eager", fullgraph=True)
        with torch._dynamo.config.patch(error_on_recompile=True):
            for _ in range(3):
                model(images()).sum().backward()


class TestStandard(DropoutContract):
    name = "standard"

    def test_drops_single_activations(self, part):
        site = self.filled(part, 0.2)[0].train()[0]
        dropped = site(torch.ones(50, CHANNELS, 10, 10))
        assert set(dropped.unique().tolist()) == {0.0, 1.25}
        assert (dropped == 0).float().mean().item() == pytest.approx(0.2, abs=0.02)
        assert 0 < (dropped[0, 0] == 0).sum() < 100


class TestSpatial(DropoutContract):
    name = "spatial"

    def test_drops_whole_maps_and_single_units(self, part):
        site = self.filled(part, 0.2)[0].train()[0]
        shape = (2000, CHANNELS, 3, 3) if part == "dropout_conv" else (2000, CHANNELS)
        dropped = site(torch.ones(shape)).flatten(2) if part == "dropout_conv" else site(torch.ones(shape))[..., None]
        assert torch.equal(dropped.amin(2), dropped.amax(2))
        assert set(dropped.unique().tolist()) == {0.0, 1.25}
        assert (dropped == 0).float().mean().item() == pytest.approx(0.2, abs=0.02)


class TestDropBlock(DropoutContract):
    name = "dropblock"
    config: ClassVar = {"dropblock_size": 3}

    def test_fully_connected_parts_have_standard_dropout(self, part):
        assert isinstance(self.filled("dropout", 0.2)[0][0], nn.Dropout)


class TestDropConnect(DropoutContract):
    name = "dropconnect"

    def test_state_is_that_of_a_plain_network(self, part):
        filled = adapted(dropout_kind=self.name, **{part: 0.6})
        assert filled.state_dict().keys() == network().state_dict().keys()
        network().load_state_dict(filled.state_dict())


class TestConcrete(DropoutContract):
    name = "concrete"

    def test_a_rate_of_one_leaves_the_bias_alone(self, part):
        with pytest.raises(UsageError, match="below 1, where a rate can still be learned"):
            self.filled(part, 1.0)


def test_every_kind_has_a_contract_test():
    assert {contract.name for contract in DropoutContract.__subclasses__()} == set(DROPOUTS)
    assert tuple(DROPOUTS) == FIELDS["dropout_kind"].choices


@pytest.mark.parametrize("kind", ["spatial", "dropblock"])
@pytest.mark.parametrize("model", ["mlp", "vit_small"])
def test_what_drops_maps_needs_maps(kind, model):
    with pytest.raises(UsageError, match="mlp and vit_small do not have"):
        resolve({"model": model, "dropout_kind": kind})


def test_what_needs_maps_or_branches_is_refused_without():
    with pytest.raises(UsageError, match="dropout_conv applies only where model is none of mlp, vit_small"):
        resolve({"model": "mlp", "dropout_conv": 0.1})
    with pytest.raises(UsageError, match=r"drop_path applies only where model is none of .*vgg16"):
        resolve({"model": "vgg16", "drop_path": 0.1})
