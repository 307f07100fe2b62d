"""Changes of colour and blur: their distributions, and torchvision's functions on one image at a time."""

import math
from typing import ClassVar

import pytest
import torch
from torchvision.transforms.v2 import functional as transforms

from tests.training.augmentations import AugmentationContract, is_uniform
from tests.training.helpers import generator, random_images
from tuner.training.augmentation import blur, colour


class FactorContract(AugmentationContract):
    """What changes by a factor promise: ``change`` is torchvision's ``reference``, the factor is uniform."""

    change: ClassVar
    reference: ClassVar

    @pytest.mark.parametrize("factor", [0.0, 0.4, 1.0, 1.7])
    def test_is_torchvisions(self, factor):
        images = random_images(6)
        got = type(self).change(images, torch.full((6,), factor))
        expected = type(self).reference(images.double() / 255, factor) * 255
        assert got.double().sub(expected).abs().max() < 0.55  # torchvision's weights of grey have a sum of 0.9999

    def test_each_image_has_its_own_factor(self):
        images, factors = random_images(3), torch.tensor([0.2, 1.0, 1.6])
        got = type(self).change(images, factors)
        for image, factor, result in zip(images, factors, got, strict=True):
            assert torch.equal(type(self).change(image[None], factor[None])[0], result)

    @pytest.mark.parametrize(("most", "low", "high"), [(0.4, 0.6, 1.4), (1.5, 0.0, 2.5)])
    def test_factors_are_uniform(self, most, low, high, monkeypatch):
        image = torch.tensor([[60, 64], [66, 60]], dtype=torch.uint8).repeat(2, 2)
        image = torch.stack([image, image // 2, image + 6])  # far from white at every factor
        got = self.build(**{self.name: most})(image.expand(3000, -1, -1, -1), generator()).double()
        low_end, high_end = (
            type(self).reference(image.double() / 255, factor) * 255 for factor in (low, high)
        )  # linear in the factor
        slope = high_end - low_end
        share = ((got - low_end) * slope).sum((1, 2, 3)) / (slope**2).sum()
        assert share.min() > -0.05
        assert share.max() < 1.05
        assert share.mean().item() == pytest.approx(0.5, abs=0.02)
        assert share.var().item() == pytest.approx(1 / 12, rel=0.08)


class TestBrightness(FactorContract):
    name = "brightness"
    on: ClassVar = {"brightness": 0.5}
    change = colour.brightened
    reference = transforms.adjust_brightness


class TestContrast(FactorContract):
    name = "contrast"
    on: ClassVar = {"contrast": 0.5}
    change = colour.contrasted
    reference = transforms.adjust_contrast

    def test_of_one_channel_is_torchvisions(self):
        images = random_images(3, channels=1)
        got = colour.contrasted(images, torch.full((3,), 1.7))
        expected = transforms.adjust_contrast(images.double() / 255, 1.7) * 255
        assert got.double().sub(expected).abs().max() < 0.51


class TestSaturation(FactorContract):
    name = "saturation"
    on: ClassVar = {"saturation": 0.5}
    change = colour.saturated
    reference = transforms.adjust_saturation


class TestHue(AugmentationContract):
    name = "hue"
    on: ClassVar = {"hue": 0.2}

    @pytest.mark.parametrize("turn", [-0.5, -0.13, 0.0, 0.31, 0.5])
    def test_is_torchvisions(self, turn):
        images = random_images(6)
        images[0, :, :3] = images[0, :1, :3]  # greys have no hue
        images[0, 1:, 3] = images[0, :2, 3]
        images[1, 0] = images[1, 1]
        got = colour.with_turned_hue(images, torch.full((6,), turn))
        expected = transforms.adjust_hue(images.double() / 255, turn) * 255
        assert got.double().sub(expected).abs().max() < 0.51

    def test_turns_are_uniform(self):
        red = torch.tensor([255, 0, 0], dtype=torch.uint8).view(1, 3, 1, 1).expand(3000, -1, 2, 2)
        got = self.build(hue=0.15)(red, generator())[:, :, 0, 0].double() / 255
        assert is_uniform((got[:, 1] - got[:, 2]) / 6, -0.15, 0.15)


class TestGrayscale(AugmentationContract):
    name = "grayscale"
    on: ClassVar = {"grayscale": 0.3}

    def test_takes_the_colours_of_a_share_of_the_images(self):
        images = random_images(1500)
        got = self.build()(images, generator())
        lost = (got[:, :1] == got).flatten(1).all(1)
        assert torch.equal(got[~lost], images[~lost])
        expected = transforms.rgb_to_grayscale(images[lost].double())
        assert got[lost].double().sub(expected).abs().max() < 0.55
        assert lost.float().mean().item() == pytest.approx(0.3, abs=0.04)


class TestBlur(AugmentationContract):
    name = "blur"
    on: ClassVar = {"blur": 1.5}

    @pytest.mark.parametrize("sigma", [0.3, 1.0, 1.5])
    def test_is_torchvisions_over_the_same_pixels(self, sigma):
        images = random_images(4)
        got = blur.blurred(images, torch.full((4,), sigma), 5)
        expected = transforms.gaussian_blur(images.double(), [11, 11], [sigma, sigma])
        assert got.double().sub(expected).abs().max() < 0.51

    def test_none_at_all_changes_nothing_and_wide_ones_fit_small_images(self):
        images = random_images(2)
        assert torch.equal(blur.blurred(images, torch.zeros(2), 5), images)
        assert self.build(blur=16.0)(images, generator()).shape == images.shape

    def test_widths_are_uniform(self):
        edges = torch.zeros(1500, 1, 2, 40, dtype=torch.uint8)
        edges[..., 20:] = 255
        got = self.build(blur=2.0)(edges, generator())[:, 0, 0].double() / 255
        # The slope of a blurred edge is the Gaussian: sum p (1 - p) grows with sigma / sqrt(pi).
        sigma = (got * (1 - got)).sum(1) * math.sqrt(math.pi)
        assert sigma.median().item() == pytest.approx(1.0, abs=0.08)
        assert sigma.quantile(0.9).item() == pytest.approx(1.8, abs=0.08)
        assert sigma.max() < 2.02
