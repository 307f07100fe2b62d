"""Each augmentation by its contract, its distribution, and torchvision's functions on one image at a time."""

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as transforms

from tests.training.helpers import coloured, digits, generator, random_images
from tuner.facts.errors import UsageError
from tuner.hyperparameters.augmentation import Augmentation
from tuner.hyperparameters.declare import fields_of
from tuner.training.augmentation import blur, colour, pipeline, sampling
from tuner.training.boxes import fitting_sides

MEAN = (255 * coloured().mean).round().byte()


def smooth_images(count: int, height: int = 12, width: int = 20) -> torch.Tensor:
    """Images without sharp edges, so that a place that is off by rounding alone does not show."""
    coarse = torch.rand(count, 3, 3, 5, generator=generator(5)) * 255
    return functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 255).byte()


def is_uniform(values: torch.Tensor, low: float, high: float) -> bool:
    """Whether values pass for draws from a uniform distribution (Kolmogorov and Smirnov)."""
    return bool(stats.kstest(values.double().flatten().numpy(), "uniform", (low, high - low)).pvalue > 0.01)


class AugmentationContract:
    """What every augmentation promises; a new one inherits this with its name and settings that switch it on."""

    name: str
    on: ClassVar[Mapping[str, object]]

    def build(self, **settings):
        return pipeline.AUGMENTATIONS[self.name](Augmentation(**(settings or self.on)), coloured())

    def test_is_off_by_default(self):
        assert pipeline.AUGMENTATIONS[self.name](Augmentation(), coloured()) is None

    def test_keeps_shape_and_type_and_leaves_its_argument_alone(self):
        images = random_images(32)
        before = images.clone()
        got = self.build()(images, generator())
        assert got.shape == images.shape
        assert got.dtype == torch.uint8
        assert torch.equal(images, before)

    def test_draws_for_each_image(self):
        same = random_images(1).expand(64, -1, -1, -1)
        assert len({bytes(image.numpy()) for image in self.build()(same, generator())}) > 1

    def test_draws_from_the_given_generator_alone(self):
        images, before = random_images(32), torch.get_rng_state()
        one, same, other = (self.build()(images, generator(seed)) for seed in (0, 0, 1))
        assert torch.equal(one, same)
        assert not torch.equal(one, other)
        assert torch.equal(before, torch.get_rng_state())


class TestResizedCrop(AugmentationContract):
    name = "resized_crop"
    on: ClassVar = {"resized_crop": 0.2}

    def test_is_a_crop_that_torchvision_resizes_to_the_same(self):
        """The crop is read from two ramps; torchvision then gets the real image."""
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

    @pytest.mark.parametrize("image_size", [(24, 40), (12, 90)])
    def test_its_sides_are_distributed_as_torchvisions(self, image_size):
        height, width = image_size
        area = (0.3 * height * width, float(height * width))
        heights, widths, fits = fitting_sides(3000, image_size, area, (3 / 4, 4 / 3), generator())
        torch.manual_seed(0)
        theirs = v2.RandomResizedCrop(8, scale=(0.3, 1.0))
        drawn = [theirs.make_params([torch.zeros(3, height, width)]) for _ in range(3000)]
        whole = v2.RandomResizedCrop(8, scale=(1.0, 1.0), ratio=(3 / 4, 4 / 3))
        torch.manual_seed(1)
        fallback = whole.make_params([torch.zeros(3, 12, 90)])
        assert (fallback["height"], fallback["width"]) == (12, 16)
        for ours, key in ((heights, "height"), (widths, "width")):
            reference = [params[key] for params in drawn]
            assert stats.ks_2samp(torch.where(fits, ours, middle(key, image_size)).numpy(), reference).pvalue > 0.01

    def test_where_nothing_fits_it_is_the_largest_crop_in_the_middle(self):
        ramp = (torch.arange(90) * 2).byte().expand(8, 3, 12, -1)
        got = self.build(resized_crop=1.0)(ramp, generator())
        expected = transforms.resized_crop(ramp[0], 0, 37, 12, 16, [12, 90], antialias=True)
        assert got.int().sub(expected.int()).abs().max() <= 1


def edge(places: torch.Tensor) -> tuple[int, int]:
    """First and last pixel of a crop, from where the pixels of its resized image lie."""
    return round(places[0].item()), round(places[-1].item())


def middle(key: str, image_size: tuple[int, int]) -> torch.Tensor:
    height, width = image_size
    return torch.tensor(min(height, round(width * 4 / 3)) if key == "height" else min(width, round(height * 4 / 3)))


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


class TestErasing(AugmentationContract):
    name = "erasing"
    on: ClassVar = {"erasing": 0.6}

    def erased(self, count=3000, height=32, width=48):
        """Where the mean colour stands."""
        images = torch.zeros(count, 3, height, width, dtype=torch.uint8)
        return (self.build()(images, generator()) == MEAN.view(1, -1, 1, 1)).all(1)

    def test_is_one_rectangle_in_a_share_of_the_images(self):
        gone = self.erased()
        rows, columns = gone.any(2).sum(1), gone.any(1).sum(1)
        assert torch.equal(gone.flatten(1).sum(1), rows * columns)
        assert gone.flatten(1).any(1).float().mean().item() == pytest.approx(0.6, abs=0.03)

    def test_sizes_and_places_are_distributed_as_torchvisions(self):
        gone = self.erased()
        gone = gone[gone.flatten(1).any(1)]
        theirs = v2.RandomErasing(p=1.0)
        torch.manual_seed(0)
        drawn = [theirs.make_params([torch.zeros(3, 32, 48)]) for _ in range(2000)]
        for ours, key in (
            (gone.any(2).sum(1), "h"),
            (gone.any(1).sum(1), "w"),
            (gone.any(2).int().argmax(1), "i"),
            (gone.any(1).int().argmax(1), "j"),
        ):
            assert stats.ks_2samp(ours.numpy(), [params[key] for params in drawn]).pvalue > 0.01


class TestCutout(AugmentationContract):
    name = "cutout"
    on: ClassVar = {"cutout": 5}

    @pytest.mark.parametrize("side", [1, 4, 5])
    def test_is_one_square_in_the_mean_colour_cut_off_at_the_border(self, side):
        images = torch.zeros(4000, 3, 12, 20, dtype=torch.uint8)
        gone = (self.build(cutout=side)(images, generator()) == MEAN.view(1, -1, 1, 1)).all(1)
        rows, columns = gone.any(2).sum(1), gone.any(1).sum(1)
        assert torch.equal(gone.flatten(1).sum(1), rows * columns)
        assert rows.max() == columns.max() == side
        assert (rows == side).float().mean() > 0.5
        assert gone.any(0).all(), "every pixel can go"

    def test_larger_than_the_image_takes_it_all(self):
        gone = self.build(cutout=1000)(torch.zeros(3, 3, 12, 20, dtype=torch.uint8), generator())
        assert (gone > 0).all()


def contracts(base: type) -> list[type]:
    """All test classes of single augmentations."""
    return [
        leaf for child in base.__subclasses__() for leaf in ([child] if hasattr(child, "name") else contracts(child))
    ]


def test_every_augmentation_has_a_contract_test():
    from tests.training import test_trivial_augment  # noqa: F401

    assert {contract.name for contract in contracts(AugmentationContract)} == set(pipeline.AUGMENTATIONS)


def test_augmentations_bear_the_names_of_their_hyperparameters_in_the_documented_order():
    assert list(pipeline.AUGMENTATIONS) == [field.name for field in fields_of(Augmentation)]


def test_all_that_are_on_are_applied():
    images = torch.zeros(64, 3, 12, 20, dtype=torch.uint8)
    images[..., 0] = 9
    got = pipeline.build(Augmentation(flip=True, cutout=3), coloured())(images, generator())
    assert (got[..., -1] == 9).any()
    assert (got == MEAN.view(1, -1, 1, 1)).all(1).any()
    assert pipeline.build(Augmentation(), coloured())(images, generator()) is images


@pytest.mark.parametrize("name", ["saturation", "hue", "grayscale"])
def test_colours_of_greyscale_images_are_refused_in_a_sentence(name):
    with pytest.raises(UsageError, match=f"{name} needs images of 3 channels, not 1"):
        pipeline.build(Augmentation(**{name: 0.1}), digits())


def test_all_others_work_on_greyscale_images():
    settings = {
        "resized_crop": 0.5,
        "crop_padding": 1,
        "flip": True,
        "vertical_flip": True,
        "rotation": 10.0,
        "trivial_augment": True,
        "brightness": 0.1,
        "contrast": 0.1,
        "blur": 0.5,
        "erasing": 0.5,
        "cutout": 2,
    }
    images = digits().train_images[:20]
    got = pipeline.build(Augmentation(**settings), digits())(images, generator())
    assert got.shape == images.shape
    assert not torch.equal(got, images)
