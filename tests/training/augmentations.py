"""What every augmentation promises, and what its tests share."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from scipy import stats
from torch.nn import functional

from tests.training.helpers import coloured, generator, random_images
from tuner.hyperparameters.augmentation import Augmentation
from tuner.training.augmentation import pipeline

#: What the augmentations of these tests hide parts behind.
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
