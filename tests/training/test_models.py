"""The networks: what each one promises, and that torchvision's are torchvision's."""

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import ClassVar

import pytest
import torch
import torchvision
from torch import nn

from tests.training.helpers import generator
from tuner.facts.errors import UsageError
from tuner.hyperparameters.architectures import ARCHITECTURES
from tuner.hyperparameters.table import resolve
from tuner.training.layers.sites import BranchSite, MapSite
from tuner.training.models import registry as models
from tuner.training.models.head import Head
from tuner.training.models.pretrained import torchvision_name
from tuner.training.models.published import published
from tuner.training.models.vit import _Attention, positions


def marked(name, shape=(3, 32, 32), classes=10, **config):
    """Return a network as its builder leaves it, sites and all."""
    hyperparameters = resolve({"model": name, **config})
    if name in models.MODELS:
        return models.MODELS[name](hyperparameters, shape, classes)
    return published(hyperparameters, shape, classes, weights=None)


def images_of(shape, count=2):
    return torch.randn(count, *shape, generator=generator())


def last_maps(name, shape):
    """Return (height, width) of the last feature maps."""
    model, seen = marked(name, shape).eval(), []
    [site for site in model.modules() if isinstance(site, MapSite)][-1].register_forward_hook(
        lambda module, given, maps: seen.append(tuple(maps.shape[2:]))
    )
    with torch.no_grad():
        model(images_of(shape, 1))
    return seen[0]


def meta(name):
    """Build without numbers; regnet computes its widths with tensors and needs real ones."""
    return torch.device("cpu" if name.startswith("regnet") else "meta")


def body(model):
    """Return the number of weights but those of the linear layers at the end."""
    head = {"classifier", "fc"}
    return sum(item.numel() for name, item in model.named_parameters() if name.split(".")[0] not in head)


class ModelContract:
    """What every model promises; a new one inherits this with its name."""

    name: str
    config: ClassVar[Mapping[str, object]] = {}
    smallest: int = 8

    def build(self, shape=(3, 32, 32), classes=10, seed=0, **config):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return models.build(resolve({"model": self.name, **self.config, **config}), shape, classes)

    @pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (4, 17, 23), (3, 64, 70)])
    def test_gives_logits_for_images_of_any_shape(self, shape):
        assert self.build(shape, classes=7).train()(images_of(shape)).shape == (2, 7)

    def test_takes_images_from_its_smallest_side_on(self):
        shape = (3, self.smallest, self.smallest)
        assert self.build(shape).eval()(images_of(shape)).isfinite().all()
        if self.smallest > 1:
            with pytest.raises(UsageError, match=f"at least {self.smallest} x {self.smallest} pixels, not"):
                self.build((3, self.smallest - 1, 40))

    def test_gradients_reach_every_parameter(self):
        model = self.build((3, 16, 16)).train()
        model(images_of((3, 16, 16), 4)).logsumexp(1).sum().backward()
        assert [n for n, item in model.named_parameters() if item.grad is None or not item.grad.abs().sum() > 0] == []

    def test_weights_come_from_the_global_seed(self):
        one, same, other = (self.build((3, 16, 16), seed=seed).state_dict() for seed in (0, 0, 1))
        assert all(torch.equal(one[name], same[name]) for name in one)
        assert any(not torch.equal(one[name], other[name]) for name in one)

    def test_does_not_care_how_images_lie_in_memory(self):
        model, images = self.build().eval(), images_of((3, 32, 32))
        other = self.build().eval().to(memory_format=torch.channels_last)
        assert torch.allclose(model(images), other(images.to(memory_format=torch.channels_last)), atol=1e-4)

    def test_dropout_comes_right_before_the_last_layer_and_is_the_only_one(self):
        dropouts = [m for m in self.build().modules() if isinstance(m, nn.Dropout) and m.p > 0]
        assert dropouts == []
        head = next(m for m in self.build(dropout=0.3).modules() if isinstance(m, Head))
        assert isinstance(head[0], nn.Dropout) and head[0].p == 0.3 and isinstance(head[1], nn.Linear)

    def test_dropout_of_one_gives_the_bias_in_training_and_nothing_in_evaluation(self):
        model, images = self.build((3, 16, 16), dropout=1.0), images_of((3, 16, 16), 4)
        bias = next(m for m in model.modules() if isinstance(m, Head))[1].bias
        assert torch.equal(model.train()(images), bias.expand(4, -1))
        assert torch.equal(model.eval()(images), model(images))
        assert not torch.equal(model(images), bias.expand(4, -1))

    def test_has_the_sites_that_the_table_of_architectures_says(self):
        modules, said = list(marked(self.name, **self.config).modules()), ARCHITECTURES[self.name]
        assert any(isinstance(module, MapSite) for module in modules) == said.feature_maps
        assert any(isinstance(module, BranchSite) for module in modules) == said.branches

    @pytest.mark.parametrize("norm", ["layer", "group", "none"])
    def test_other_norms_and_activations_take_the_place_of_its_own(self, norm):
        if ARCHITECTURES[self.name].norm is None:
            with pytest.raises(UsageError, match="norm applies only where"):
                self.build(norm=norm)
            return
        model = self.build((3, 16, 16), norm=norm, activation="tanh")
        assert not [m for m in model.modules() if isinstance(m, nn.BatchNorm2d | nn.ReLU | nn.SiLU)]
        assert model.train()(images_of((3, 16, 16))).isfinite().all()

    def test_instance_norm_never_meets_a_single_pixel(self):
        said = ARCHITECTURES[self.name]
        if said.norm is None:
            return
        side = self.smallest if said.smallest_side is None else 2 * self.smallest
        shape = (3, side, side)
        assert self.build(shape, norm="instance").train()(images_of(shape)).isfinite().all()
        with pytest.raises(UsageError, match=f"needs images of at least {side} x {side} pixels"):
            self.build((3, side - 1, side), norm="instance")


class PoolsEarly:
    """A network that pools before its activation."""

    def test_pooling_before_the_activation_changes_nothing(self):
        early, late = self.build(), self.build()
        swapped = 0
        for block in late.modules():
            layers = list(block.named_children())
            for (first, pooling), (second, after) in pairwise(layers):
                if isinstance(pooling, nn.MaxPool2d):
                    setattr(block, first, after)
                    setattr(block, second, pooling)
                    swapped += 1
        assert swapped >= 2
        images = images_of((3, 32, 32), 4)
        assert torch.equal(early.train()(images), late.train()(images))


class TestMlp(ModelContract):
    name = "mlp"
    config: ClassVar = {"width": 20, "depth": 3}
    smallest = 1

    def test_has_depth_hidden_layers_of_width_units(self):
        layers = [(m.in_features, m.out_features) for m in self.build((1, 4, 5)).modules() if isinstance(m, nn.Linear)]
        assert layers == [(20, 20), (20, 20), (20, 20), (20, 10)]

    def test_drops_units_before_every_layer_but_the_first(self):
        model = self.build((1, 4, 5), dropout=0.5)
        kinds = [type(m) for m in model.modules() if isinstance(m, nn.Linear | nn.Dropout)]
        assert kinds == [nn.Linear, *([nn.Dropout, nn.Linear] * 3)]


class TestCnn(PoolsEarly, ModelContract):
    name = "cnn"
    smallest = 4

    def test_is_conv_32_conv_64_fc_256(self):
        convs = (3 * 9 + 1) * 32 + (32 * 9 + 1) * 64
        assert models.parameter_count(self.build()) == convs + (64 * 8 * 8 + 1) * 256 + 257 * 10

    def test_width_and_depth_decide_its_channels(self):
        convs = [m.out_channels for m in self.build(width=5, depth=4).modules() if isinstance(m, nn.Conv2d)]
        assert convs == [5, 10, 20, 40]

    def test_each_convolution_halves_the_image(self):
        with pytest.raises(UsageError, match="cnn of depth 5 needs images of at least 32 x 32 pixels, not 28 x 28"):
            self.build((1, 28, 28), depth=5)

    def test_a_norm_takes_the_bias_of_its_convolution(self):
        assert all(m.bias is None for m in self.build(norm="batch").modules() if isinstance(m, nn.Conv2d))


class TestResnet9(PoolsEarly, ModelContract):
    name = "resnet9"
    config: ClassVar = {"width": 32}

    def test_has_the_published_size(self):
        # Page 2019: 6,573,120 without the bias of the last layer, whose 10 are ours.
        assert models.parameter_count(self.build(width=64)) == 6_573_130


class TestVitSmall(ModelContract):
    name = "vit_small"
    config: ClassVar = {"width": 64, "depth": 2}
    smallest = 4

    def test_has_the_published_size(self):
        # DeiT-S has 22,050,664, of which a class token and learned positions of 14 x 14 patches are not ours.
        with torch.device("meta"):
            model = models.build(resolve({"model": "vit_small"}), (3, 224, 224), 1000)
        assert models.parameter_count(model) == 22_050_664 - 384 - (14 * 14 + 1) * 384

    def test_attention_is_pytorchs(self):
        ours, theirs = _Attention(128).double(), nn.MultiheadAttention(128, 2, batch_first=True, dtype=torch.double)
        theirs.load_state_dict(
            {
                "in_proj_weight": ours.query_key_value.weight,
                "in_proj_bias": ours.query_key_value.bias,
                "out_proj.weight": ours.project.weight,
                "out_proj.bias": ours.project.bias,
            }
        )
        tokens = torch.randn(3, 5, 128, dtype=torch.double, generator=generator())
        assert torch.allclose(ours(tokens), theirs(tokens, tokens, tokens)[0])

    def test_positions_are_sines_and_cosines_of_row_and_column(self):
        got = positions(3, 5, 64)
        for row, column, k in [(0, 0, 0), (2, 4, 0), (1, 3, 7), (2, 1, 15)]:
            omega = 10_000 ** (-k / 15)
            expected = [f(place * omega) for place in (column, row) for f in (math.sin, math.cos)]
            assert got[row * 5 + column].view(4, 16)[:, k].tolist() == pytest.approx(expected, abs=1e-5)

    def test_pixels_beyond_whole_patches_count(self):
        model, images = self.build((1, 9, 13)).eval(), images_of((1, 9, 13))
        other = images.clone()
        other[..., -1, -1] += 1
        assert not torch.equal(model(images), model(other))

    @pytest.mark.parametrize(("side", "patches"), [(28, 49), (32, 64), (64, 64), (100, 169), (224, 196)])
    def test_larger_images_have_larger_patches(self, side, patches):
        assert self.build((3, side, side))[0].positions.shape == (patches, 64)

    def test_width_is_whole_attention_heads(self):
        with pytest.raises(UsageError, match="width must be a multiple of 64"):
            self.build(width=96)


class PublishedContract(ModelContract):
    """What torchvision's networks promise; ``name`` is the family's smallest."""

    final_side = 4

    def test_small_images_are_not_shrunk_to_nothing(self):
        assert last_maps(self.name, (3, 32, 32)) == (self.final_side, self.final_side)

    def test_larger_images_meet_the_networks_own_stem(self):
        assert last_maps(self.name, (3, 64, 64)) == (2, 2)
        with meta(self.name):
            ours, theirs = marked(self.name, (3, 64, 64)), torchvision.models.get_model(torchvision_name(self.name))
        convolutions = [
            [(m.weight.shape, m.stride, m.padding, m.groups) for m in model.modules() if isinstance(m, nn.Conv2d)]
            for model in (ours, theirs)
        ]
        assert convolutions[0] == convolutions[1]

    def test_pretrained_it_computes_what_torchvisions_does(self, tmp_path):
        torch.manual_seed(0)
        theirs = torchvision.models.get_model(torchvision_name(self.name), num_classes=5).eval()
        torch.save(theirs.state_dict(), tmp_path / "weights.pth")
        ours = models.build(
            resolve({"model": self.name, "pretrained": True}), (3, 40, 40), 5, tmp_path / "weights.pth"
        ).eval()
        head, (_, last) = (
            next(m for m in ours.modules() if isinstance(m, Head)),
            [item for item in theirs.named_modules() if isinstance(item[1], nn.Linear)][-1],
        )
        assert not torch.equal(head[1].weight, last.weight)
        head[1].load_state_dict(last.state_dict())
        images = images_of((3, 40, 40))
        assert torch.allclose(ours(images), theirs(images), atol=1e-5)


class TestResnet18(PublishedContract):
    name = "resnet18"

    def test_has_the_size_of_the_one_for_cifar(self):
        assert models.parameter_count(self.build()) == 11_173_962

    def test_its_stem_for_small_images_is_one_of_three_by_three(self):
        stem = self.build((1, 32, 32)).conv1
        assert (stem.kernel_size, stem.stride, stem.padding, stem.in_channels) == ((3, 3), (1, 1), (1, 1), 1)


@pytest.mark.slow
class TestResnet50(PublishedContract):
    name = "resnet50"


class TestVgg11(PoolsEarly, PublishedContract):
    name = "vgg11"
    smallest = 16
    final_side = 2

    @pytest.mark.slow  # torchvision's head of 120 million weights is drawn, written and read
    def test_pretrained_it_computes_what_torchvisions_does(self, tmp_path):
        super().test_pretrained_it_computes_what_torchvisions_does(tmp_path)


class TestDensenet121(PublishedContract):
    name = "densenet121"

    def test_its_last_activation_is_chosen_too(self):
        assert isinstance(self.build(activation="gelu").relu, nn.GELU)


class TestMobilenetV2(PublishedContract):
    name = "mobilenet_v2"


class TestMobilenetV3Small(PublishedContract):
    name = "mobilenet_v3_small"


class TestEfficientnetB0(PublishedContract):
    name = "efficientnet_b0"


@pytest.mark.slow
class TestEfficientnetV2S(PublishedContract):
    name = "efficientnet_v2_s"


class TestRegnetY400mf(PublishedContract):
    name = "regnet_y_400mf"


class TestShufflenetV2X05(PublishedContract):
    name = "shufflenet_v2_x0_5"


@pytest.mark.slow
class TestConvnextTiny(PublishedContract):
    name = "convnext_tiny"


def descendants(contract):
    return {contract, *(other for child in contract.__subclasses__() for other in descendants(child))}


def test_every_family_has_a_contract_test():
    tested = {contract.name for contract in descendants(ModelContract) if hasattr(contract, "name")}
    assert {ARCHITECTURES[name].family for name in tested} == {item.family for item in ARCHITECTURES.values()}


def each(names):
    """Return parameters, those of which no contract speaks in the slow tier."""
    tested = {contract.name for contract in descendants(ModelContract) if hasattr(contract, "name")}
    return [name if name in tested else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.parametrize("name", each(ARCHITECTURES))
def test_every_architecture_gives_logits_for_grey_images(name):
    with meta(name):
        assert marked(name, (1, 28, 28), 7)(torch.empty(2, 1, 28, 28)).shape == (2, 7)


@pytest.mark.parametrize("name", each(name for name, item in ARCHITECTURES.items() if item.norm is not None))
def test_the_table_says_what_divides_the_channels_of_every_norm(name):
    with meta(name):
        norms = [m.num_features for m in marked(name, norm="batch").modules() if isinstance(m, nn.BatchNorm2d)]
    said = ARCHITECTURES[name]
    assert math.gcd(*norms) == (said.norm_channels or said.width)


@pytest.mark.parametrize("name", each(name for name, item in ARCHITECTURES.items() if item.weights_side is not None))
def test_every_published_architecture_has_torchvisions_body(name):
    with meta(name):
        ours, theirs = marked(name), torchvision.models.get_model(torchvision_name(name))
    stem = next(module for module in ours.modules() if isinstance(module, nn.Conv2d))
    assert body(ours) - stem.weight.numel() == body(theirs) - next(theirs.parameters()).numel()
