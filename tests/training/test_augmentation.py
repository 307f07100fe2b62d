from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.training.helpers import digits, generator, random_images
from tuner.hyperparameters.augmentation import Augmentation
from tuner.training import augmentation


class AugmentationContract:
    """What every augmentation promises; a new one inherits this with its name and settings that switch it on."""

    name: str
    on: ClassVar[Mapping[str, object]]

    def build(self, **settings):
        return augmentation.AUGMENTATIONS[self.name](Augmentation(**(settings or self.on)), digits())

    def test_is_off_by_default(self):
        assert augmentation.AUGMENTATIONS[self.name](Augmentation(), digits()) is None

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


class TestCrop(AugmentationContract):
    name = "crop"
    on: ClassVar = {"crop_padding": 3}

    def test_is_a_window_of_the_reflected_image(self):
        images = random_images(600)
        got = self.build()(images, generator())
        padded = functional.pad(images.float(), (3,) * 4, mode="reflect").byte()
        windows = padded.unfold(2, 12, 1).unfold(3, 20, 1)  # [B, C, 7, 7, 12, 20]
        fits = (windows == got[:, :, None, None]).flatten(4).all(4).all(1)
        assert fits.flatten(1).sum(1).tolist() == [1] * 600
        assert fits.any(0).all(), "every window must come up"

    def test_reflects_again_where_the_padding_is_wider_than_the_image(self):
        images = random_images(20, channels=1, height=8, width=9)
        got = self.build(crop_padding=64)(images, generator())
        for image, result in zip(images[:, 0].numpy(), got[:, 0].numpy(), strict=True):
            windows = np.lib.stride_tricks.sliding_window_view(np.pad(image, 64, mode="reflect"), (8, 9))
            assert (windows == result).all((2, 3)).any()


class TestFlip(AugmentationContract):
    name = "flip"
    on: ClassVar = {"flip": True}

    def test_mirrors_half_of_the_images_from_left_to_right(self):
        images = random_images(1000)
        got = self.build()(images, generator())
        mirrored = (got == images.flip(3)).flatten(1).all(1)
        kept = (got == images).flatten(1).all(1)
        assert (mirrored ^ kept).all()
        assert mirrored.float().mean().item() == pytest.approx(0.5, abs=0.05)


class TestCutout(AugmentationContract):
    name = "cutout"
    on: ClassVar = {"cutout": 5}

    @pytest.mark.parametrize("side", [1, 4, 5])
    def test_is_one_square_in_the_mean_colour_cut_off_at_the_border(self, side):
        images = torch.zeros(4000, 1, 12, 20, dtype=torch.uint8)
        gone = self.build(cutout=side)(images, generator())[:, 0] == round(255 * digits().mean.item())
        rows, columns = gone.any(2).sum(1), gone.any(1).sum(1)
        assert torch.equal(gone.flatten(1).sum(1), rows * columns)
        assert rows.max() == columns.max() == side
        assert (rows == side).float().mean() > 0.5
        assert gone.any(0).all(), "every pixel can go"

    def test_larger_than_the_image_takes_it_all(self):
        gone = self.build(cutout=1000)(torch.zeros(3, 1, 12, 20, dtype=torch.uint8), generator())
        assert (gone > 0).all()


def test_every_augmentation_has_a_contract_test():
    tested = {contract.name for contract in AugmentationContract.__subclasses__()}
    assert tested == set(augmentation.AUGMENTATIONS)


def test_all_that_are_on_are_applied():
    images = torch.zeros(64, 1, 12, 20, dtype=torch.uint8)
    images[..., 0] = 9
    got = augmentation.build(Augmentation(flip=True, cutout=3), digits())(images, generator())
    assert (got[..., -1] == 9).any()
    assert (got == round(255 * digits().mean.item())).any()
    assert augmentation.build(Augmentation(), digits())(images, generator()) is images
