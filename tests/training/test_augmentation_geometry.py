"""Crops, mirrors and turns: their distributions, and torchvision's functions on one image at a time."""

from typing import ClassVar

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as transforms

from tests.training.augmentations import MEAN, AugmentationContract, is_uniform, smooth_images
from tests.training.helpers import generator, random_images
from tuner.training.augmentation import sampling
from tuner.training.boxes import fitting_sides


class TestResizedCrop(AugmentationContract):
    name = "resized_crop"
    on: ClassVar = {"resized_crop": 0.2}

    def test_is_a_crop_that_torchvision_resizes_to_the_same(self):
        """Two channels are ramps, which tell the crop."""
        height, width = 24, 40
        down = torch.arange(height).view(-1, 1).expand(-1, width) * 10
        right = torch.arange(width).expand(height, -1) * 6
        images = torch.stack([down, right, smooth_images(1, height, width)[0, 0]]).byte().expand(200, -1, -1, -1)
        for got in self.build()(images, generator()):
            (top, bottom), (left, end) = (edge(got[0, :, 0] / 10), edge(got[1, 0, :] / 6))
            expected = transforms.resized_crop(
                images[0], top, left, bottom - top + 1, end - left + 1, [height, width], antialias=True
            )
            assert got.int().sub(expected.int()).abs().max() <= 1

    def test_its_sides_are_distributed_as_torchvisions(self):
        height, width = 24, 40
        area = (0.3 * height * width, float(height * width))
        heights, widths, fits = fitting_sides(3000, (height, width), area, (3 / 4, 4 / 3), generator())
        torch.manual_seed(0)
        theirs = v2.RandomResizedCrop(8, scale=(0.3, 1.0))
        drawn = [theirs.make_params([torch.zeros(3, height, width)]) for _ in range(3000)]
        middle = torch.tensor([24, 32])  # torchvision's own choice where nothing fits
        for ours, other, key in ((heights, middle[0], "height"), (widths, middle[1], "width")):
            reference = [params[key] for params in drawn]
            assert stats.ks_2samp(torch.where(fits, ours, other).numpy(), reference).pvalue > 0.01

    def test_where_nothing_fits_it_is_the_largest_crop_in_the_middle(self):
        ramp = (torch.arange(90) * 2).byte().expand(8, 3, 12, -1)
        got = self.build(resized_crop=1.0)(ramp, generator())
        expected = transforms.resized_crop(ramp[0], 0, 37, 12, 16, [12, 90], antialias=True)
        assert got.int().sub(expected.int()).abs().max() <= 1


def edge(places: torch.Tensor) -> tuple[int, int]:
    """First and last pixel of a crop, from where the pixels of its resized image lie."""
    return round(places[0].item()), round(places[-1].item())


class TestCropPadding(AugmentationContract):
    name = "crop_padding"
    on: ClassVar = {"crop_padding": 3}

    def test_is_a_window_of_the_reflected_image(self):
        images = random_images(600)
        got = self.build()(images, generator())
        padded = functional.pad(images.float(), (3,) * 4, mode="reflect").byte()
        windows = padded.unfold(2, 12, 1).unfold(3, 20, 1)  # [B, C, 7, 7, 12, 20]
        fits = (windows == got[:, :, None, None]).flatten(4).all(4).all(1)
        assert fits.flatten(1).sum(1).tolist() == [1] * 600
        assert stats.chisquare(fits.sum(0).flatten().numpy()).pvalue > 0.01, "every window is as likely"

    def test_reflects_again_where_the_padding_is_wider_than_the_image(self):
        images = random_images(20, channels=1, height=8, width=9)
        got = self.build(crop_padding=64)(images, generator())
        for image, result in zip(images[:, 0].numpy(), got[:, 0].numpy(), strict=True):
            windows = np.lib.stride_tricks.sliding_window_view(np.pad(image, 64, mode="reflect"), (8, 9))
            assert (windows == result).all((2, 3)).any()


class MirrorContract(AugmentationContract):
    """What mirrors along one dimension promise."""

    dimension: int

    def test_mirrors_half_of_the_images(self):
        images = random_images(1000)
        got = self.build()(images, generator())
        mirrored = (got == images.flip(self.dimension)).flatten(1).all(1)
        kept = (got == images).flatten(1).all(1)
        assert (mirrored ^ kept).all()
        assert mirrored.float().mean().item() == pytest.approx(0.5, abs=0.05)


class TestFlip(MirrorContract):
    name = "flip"
    on: ClassVar = {"flip": True}
    dimension = 3


class TestVerticalFlip(MirrorContract):
    name = "vertical_flip"
    on: ClassVar = {"vertical_flip": True}
    dimension = 2


class TestRotation(AugmentationContract):
    name = "rotation"
    on: ClassVar = {"rotation": 30.0}

    def test_turns_as_torchvision_does(self):
        images, angles = smooth_images(7), torch.tensor([-170.0, -90.0, -12.5, 0.0, 33.0, 90.0, 180.0])
        fill = MEAN.view(1, -1, 1, 1)
        got = sampling.bilinear(images, *sampling.rotated_grid(angles.deg2rad(), 12, 20), fill)
        for image, angle, turned in zip(images, angles.tolist(), got, strict=True):
            # torchvision's own fill weighs the border's pixels twice; around zero there is nothing to fill.
            around_fill = image - MEAN.view(-1, 1, 1).double()
            expected = transforms.rotate(around_fill, angle, v2.InterpolationMode.BILINEAR) + MEAN.view(-1, 1, 1)
            assert turned.double().sub(expected).abs().max() < 0.51
        assert torch.equal(got[3], images[3])

    def test_angles_are_uniform(self):
        """Of a half plane: at 20 pixels from the middle its border has moved by 20 tan(angle)."""
        images = torch.zeros(600, 3, 61, 61, dtype=torch.uint8)
        images[:, :, :30] = 254
        images[:, :, 30] = 127
        got = self.build(rotation=40.0)(images, generator())
        rise = (got[:, 0, 12:49, 50].double() / 254).sum(1) - 18.5
        assert is_uniform(torch.atan(rise / 20).rad2deg(), -40, 40)

    def test_what_comes_in_has_the_mean_colour(self):
        got = self.build(rotation=180.0)(torch.zeros(50, 3, 10, 40, dtype=torch.uint8), generator())
        assert (got == MEAN.view(1, -1, 1, 1)).all(1).any()
        assert (got <= MEAN.view(1, -1, 1, 1)).all()
