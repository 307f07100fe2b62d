from typing import ClassVar

import pytest
import torch
from torch import nn
from torchvision.models import ResNet18_Weights
from torchvision.transforms.v2 import functional as transforms

from tests.training.helpers import coloured, digits, random_images, run, small
from tuner.facts.errors import UsageError
from tuner.hyperparameters.inputs import Input
from tuner.hyperparameters.table import resolve
from tuner.training import normalization
from tuner.training.normalization import input_shape, resized


class NormalizationContract:
    """What every normalization promises, with the mean and deviation that it must use."""

    name: str
    mean: ClassVar[tuple[float, ...]]
    std: ClassVar[tuple[float, ...]]

    def test_is_the_published_formula(self):
        images = random_images(9)
        expected = transforms.normalize(transforms.to_dtype(images, torch.float64, scale=True), self.mean, self.std)
        got = normalization.NORMALIZATIONS[self.name](coloured())(images)
        assert got.dtype == torch.float32
        assert got.double().sub(expected).abs().max() < 1e-5

    def test_leaves_the_bytes_alone_and_stores_channels_last(self):
        images = random_images(9)
        got = normalization.NORMALIZATIONS[self.name](coloured())(images)
        assert torch.equal(images, random_images(9))
        assert got.is_contiguous(memory_format=torch.channels_last)


class TestDataset(NormalizationContract):
    name = "dataset"
    pixels = coloured().train_images.double() / 255
    mean = tuple(pixels.mean((0, 2, 3)).tolist())
    std = tuple(pixels.std((0, 2, 3), correction=0).tolist())


class TestPretrained(NormalizationContract):
    name = "pretrained"
    mean = tuple(ResNet18_Weights.DEFAULT.transforms().mean)
    std = tuple(ResNet18_Weights.DEFAULT.transforms().std)

    def test_is_refused_for_greyscale_images(self):
        with pytest.raises(UsageError, match="normalize: pretrained needs images of 3 channels, not 1"):
            normalization.build(Input(normalize="pretrained"), digits())


class TestNone(NormalizationContract):
    name = "none"
    mean = (0.0,) * 3
    std = (1.0,) * 3


def test_every_normalization_has_a_contract_test():
    tested = {contract.name for contract in NormalizationContract.__subclasses__()}
    assert tested == set(normalization.NORMALIZATIONS)


@pytest.mark.parametrize("side", [5, 12, 33])
def test_resizing_is_torchvisions(side):
    images = random_images(7)
    assert torch.equal(resized(images, side), transforms.resize(images, [side, side], antialias=True))


@pytest.mark.parametrize("size", [None, 5, 33])
def test_the_model_is_built_for_what_it_sees(size):
    settings = Input(image_size=size)
    images = random_images(7)
    seen = normalization.build(settings, coloured())(images)
    assert tuple(seen.shape[1:]) == input_shape(settings, (3, 12, 20))
    assert seen.is_contiguous(memory_format=torch.channels_last)
    expected = images if size is None else resized(images, size)
    assert torch.equal(seen, normalization.dataset(coloured())(expected))


def test_a_trial_trains_and_is_measured_on_resized_images():
    plain, _ = run(small(epochs=1, image_size=None), digits(300))
    larger, _ = run(small(epochs=1, image_size=16), digits(300))
    # The cnn's fully connected layer sees 16 maps of a quarter of the side; only a model built for it takes them.
    assert larger[0]["parameter_count"] - plain[0]["parameter_count"] == 256 * 16 * (4 * 4 - 2 * 2)


def test_pretrained_weights_bring_their_normalization():
    assert resolve({"pretrained": True}).input.normalize == "pretrained"
    assert resolve({"pretrained": True, "normalize": "dataset"}).input.normalize == "dataset"
    assert resolve({}).input.normalize == "dataset"


def test_an_export_neither_breaks_nor_is_broken_by_what_runs_in_python():
    class Served(nn.Module):
        def forward(self, images):
            return self.normalize(images)

    images, served = random_images(4), Served().eval()
    served.normalize = normalization.build(Input(image_size=33), coloured())
    exported = torch.export.export(served, (images,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    expected = served(images[:3])
    assert torch.equal(exported.module()(images[:3]), expected)
    assert torch.equal(expected, normalization.build(Input(image_size=33), coloured())(images[:3]))
