from collections.abc import Mapping
from typing import ClassVar

import pytest
import torch
import torchvision
from torch import nn

from tests.training.layers.networks import adapted, images, kinds, network
from tuner.facts.errors import UsageError
from tuner.hyperparameters.table import FIELDS, resolve
from tuner.training.layers.norms import NORMS, RMS_EPS, RMSNorm2d, set_norm

CHANNELS = 6


def normed(name, channels=CHANNELS, **config):
    """The norm that takes the place of a batch norm, with weights that are not 1 and biases that are not 0."""
    model = nn.Sequential(nn.BatchNorm2d(channels))
    set_norm(model, resolve({"norm": name, **config}).model)
    torch.manual_seed(0)
    for parameter in model.parameters():
        nn.init.uniform_(parameter, 0.5, 2)
    return model[0].double().train()


def maps(count=4, seed=2):
    return (
        3 * torch.randn(count, CHANNELS, 5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) + 1
    )


class NormContract:
    """What every norm promises; a new one inherits this with its formula."""

    name: str
    config: ClassVar[Mapping[str, object]] = {}
    groups: int  # of channels; a group is normalized over `axes` of [B, groups, channels of a group, H, W]
    axes: tuple[int, ...]
    centred = True
    eps = 1e-5
    of_the_batch = False

    def norm(self):
        return normed(self.name, **self.config)

    def grouped(self, values):
        return values.reshape(len(values), self.groups, -1, *values.shape[2:])

    def formula(self, inputs):
        """Return what is normalized, and the root by which it was divided, in groups."""
        values = self.grouped(inputs)
        if self.centred:
            values = values - values.mean(self.axes, keepdim=True)
        root = (values.square().mean(self.axes, keepdim=True) + self.eps).sqrt()  # the biased variance
        return values / root, root

    def affine(self, norm):
        weight = norm.weight.detach().view(1, -1, 1, 1)
        return weight, norm.bias.detach().view(1, -1, 1, 1) if self.centred else torch.zeros_like(weight)

    def test_forward_is_the_formula(self):
        norm, inputs = self.norm(), maps()
        weight, bias = self.affine(norm)
        expected = self.formula(inputs)[0].reshape(inputs.shape) * weight + bias
        assert torch.allclose(norm(inputs), expected, atol=1e-12)

    def test_backward_is_the_formula(self):
        norm, inputs = self.norm(), maps().requires_grad_()
        arriving = torch.randn(inputs.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
        norm(inputs).backward(arriving)
        normalized, root = self.formula(inputs.detach())
        weight, _ = self.affine(norm)
        scaled = self.grouped(arriving * weight)
        along = normalized * (scaled * normalized).mean(self.axes, keepdim=True)
        mean = scaled.mean(self.axes, keepdim=True) if self.centred else 0
        assert torch.allclose(inputs.grad, ((scaled - mean - along) / root).reshape(inputs.shape), atol=1e-12)
        assert torch.allclose(norm.weight.grad, (arriving * normalized.reshape(inputs.shape)).sum((0, 2, 3)))
        if self.centred:
            assert torch.allclose(norm.bias.grad, arriving.sum((0, 2, 3)))

    def test_only_batch_norm_looks_at_the_other_images(self):
        norm = self.norm()
        alone, among = norm(maps()[:2]), norm(torch.cat([maps()[:2], maps(seed=9)]))[:2]
        assert torch.allclose(alone, among) != self.of_the_batch

    def test_only_batch_norm_differs_in_evaluation(self):
        norm = self.norm()
        assert torch.allclose(norm(maps()), norm.eval()(maps())) != self.of_the_batch

    def test_begins_as_the_mere_normalization(self):
        model = nn.Sequential(nn.BatchNorm2d(CHANNELS))
        set_norm(model, resolve({"norm": self.name, **self.config}).model)
        assert all((item == (1 if name == "0.weight" else 0)).all() for name, item in model.named_parameters())

    def test_keeps_channels_last_and_works_under_autocast(self):
        inputs = maps().float().to(memory_format=torch.channels_last)
        norm = self.norm().float()
        assert norm(inputs).is_contiguous(memory_format=torch.channels_last)
        assert torch.allclose(norm(inputs), norm(inputs.contiguous()), atol=1e-5)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.allclose(norm(inputs.bfloat16()).float(), norm(inputs), atol=0.1)

    def test_takes_the_place_of_every_batch_norm(self):
        config = {"norm": self.name, "norm_groups": 4} if self.name == "group" else {"norm": self.name}
        model = adapted(**config)
        assert len(kinds(model, type(self.norm()))) == 7
        assert bool(kinds(model, nn.BatchNorm2d)) == self.of_the_batch
        assert isinstance(list(model.modules())[-1], nn.Linear)  # the logits are not normalized
        model(images()).sum().backward()
        assert all(parameter.grad is not None for parameter in model.parameters())


class TestBatch(NormContract):
    name, groups, axes, of_the_batch = "batch", CHANNELS, (0, 3, 4), True

    @pytest.mark.parametrize("momentum", [0.1, 0.7])
    def test_running_statistics_hold_the_unbiased_variance(self, momentum):
        norm, inputs = normed("batch", norm_momentum=momentum), maps()
        norm(inputs)
        assert torch.allclose(norm.running_mean, momentum * inputs.mean((0, 2, 3)))
        assert torch.allclose(norm.running_var, 1 - momentum + momentum * inputs.var((0, 2, 3), correction=1))

    def test_keeps_the_eps_of_the_architecture(self):
        model = nn.Sequential(nn.BatchNorm2d(4, eps=1e-3))
        set_norm(model, resolve({}).model)
        assert model[0].eps == 1e-3


class TestLayer(NormContract):
    name, groups, axes = "layer", 1, (2, 3, 4)

    def test_is_pytorchs_layer_norm_over_channels_and_pixels(self):
        norm, reference = normed("layer"), nn.LayerNorm(maps().shape[1:], elementwise_affine=False)
        weight, bias = self.affine(norm)
        assert torch.allclose(norm(maps()), reference(maps()) * weight + bias)


class TestGroup(NormContract):
    name, groups, axes = "group", 3, (2, 3, 4)
    config: ClassVar = {"norm_groups": 3, "model": "cnn", "width": 6}

    def test_groups_must_divide_the_channels(self):
        with pytest.raises(UsageError, match="norm_groups 4 does not divide the 6 channels of a norm"):
            normed("group", norm_groups=4)


class TestInstance(NormContract):
    name, groups, axes = "instance", CHANNELS, (2, 3, 4)

    def test_is_pytorchs_instance_norm(self):
        norm, reference = normed("instance"), nn.InstanceNorm2d(CHANNELS, affine=True).double()
        reference.load_state_dict(norm.state_dict())
        assert torch.allclose(norm(maps()), reference(maps()))

    @pytest.mark.parametrize("training", [True, False])
    def test_maps_of_one_pixel_are_named(self, training):
        with pytest.raises(UsageError, match="feature maps of one pixel"):
            normed("instance").train(training)(torch.ones(2, CHANNELS, 1, 1))


class TestRms(NormContract):
    name, groups, axes, centred, eps = "rms", 1, (2,), False, RMS_EPS

    def test_is_pytorchs_over_channels_with_an_eps_that_is_said(self):
        reference = nn.RMSNorm(CHANNELS, eps=1e-6).double()
        reference.load_state_dict(normed("rms").state_dict())
        small = 1e-4 * maps()  # so small that the eps is seen
        expected = reference(small.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        assert torch.allclose(normed("rms")(small), expected, rtol=1e-10)
        assert not torch.allclose(
            nn.RMSNorm(CHANNELS).double()(small.permute(0, 2, 3, 1)).permute(0, 3, 1, 2), expected
        )

    def test_large_values_of_half_precision_do_not_overflow(self):
        outputs = RMSNorm2d(4)(torch.full((1, 4, 2, 2), 6e4, dtype=torch.float16))
        assert torch.allclose(outputs, torch.ones_like(outputs))


class TestNone:
    name = "none"

    def test_leaves_biases_in_the_place_of_norms(self):
        model = adapted(norm="none")
        assert not kinds(model, nn.BatchNorm2d)
        assert all(not conv.bias.any() for conv in kinds(model, nn.Conv2d))
        model(images()).logsumexp(1).sum().backward()
        assert all(conv.bias.grad.any() for conv in kinds(model, nn.Conv2d))


def test_every_norm_has_a_test():
    tested = {contract.name for contract in NormContract.__subclasses__()} | {TestNone.name}
    assert tested == set(NORMS)
    assert tuple(NORMS) == FIELDS["norm"].choices


@pytest.mark.parametrize("name", NORMS)
def test_every_norm_serves_a_resnet18_on_small_images(name):
    torch.manual_seed(0)
    model = torchvision.models.resnet18(num_classes=10)
    model.conv1, model.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    set_norm(model, resolve({"norm": name}).model)
    logits = model.train()(torch.randn(2, 3, 32, 32))
    assert logits.isfinite().all()
    assert not torch.allclose(logits[0], logits[1])


def test_parameters_of_other_layers_stay_as_they_were():
    plain, changed = network(), adapted(norm="layer")
    assert all(torch.equal(one, changed.state_dict()[name]) for name, one in plain.named_parameters())
