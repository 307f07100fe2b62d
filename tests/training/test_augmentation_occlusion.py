"""Erasing and cutout: what they hide, and torchvision's distribution of it."""

from typing import ClassVar

import pytest
import torch
from scipy import stats
from torchvision.transforms import v2

from tests.training.augmentations import MEAN, AugmentationContract
from tests.training.helpers import generator


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
