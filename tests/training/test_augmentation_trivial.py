"""TrivialAugment, change by change, against torchvision's own on one image at a time."""

from collections import Counter
from typing import ClassVar

import pytest
import torch
from scipy import stats
from torchvision.transforms import v2

from tests.training.augmentations import AugmentationContract, smooth_images
from tests.training.helpers import generator, random_images
from tuner.training.augmentation.trivial_augment import CHANGES, STEPS, changed

#: Ours to torchvision's name.
THEIRS = {
    **{"identity": "Identity", "shear_x": "ShearX", "shear_y": "ShearY", "translate_x": "TranslateX"},
    **{"translate_y": "TranslateY", "rotate": "Rotate", "brightness": "Brightness", "colour": "Color"},
    **{"contrast": "Contrast", "sharpness": "Sharpness", "posterize": "Posterize", "solarize": "Solarize"},
    **{"autocontrast": "AutoContrast", "equalize": "Equalize"},
}


class TestTrivialAugment(AugmentationContract):
    name = "trivial_augment"
    on: ClassVar = {"trivial_augment": True}

    @pytest.mark.parametrize("sign", [-1, 1])
    @pytest.mark.parametrize("name", CHANGES)
    @pytest.mark.parametrize("shape", [(40, 52), (33, 28)])
    def test_each_change_is_torchvisions(self, name, sign, shape):
        images = smooth_images(STEPS + 1, *shape)
        count = len(images)
        got = changed(
            images, torch.full((count,), CHANGES.index(name)), torch.arange(count), torch.full((count,), sign)
        )
        theirs = v2.TrivialAugmentWide()
        magnitudes_of, signed = theirs._AUGMENTATION_SPACE[THEIRS[name]]
        magnitudes = magnitudes_of(STEPS + 1, *shape)
        agree = 0
        for step, (image, result) in enumerate(zip(images, got, strict=True)):
            magnitude = 0.0 if magnitudes is None else float(magnitudes[step]) * (sign if signed else 1)
            expected = theirs._apply_image_or_video_transform(
                image, THEIRS[name], magnitude, interpolation=v2.InterpolationMode.NEAREST, fill={}
            )
            # torchvision cuts fractions off twice where we round once.
            agree += (result.int() - expected.int()).abs().le(2).float().mean().item() > 0.995
        # One strength may differ: torchvision's 16 pixels are 15.999, and after 90 degrees places lie between pixels.
        assert agree >= STEPS

    def test_on_images_of_few_pixels_nothing_breaks(self):
        images = random_images(14, channels=2, height=1, width=3)
        assert changed(images, torch.arange(14), torch.full((14,), 30), torch.ones(14)).shape == images.shape

    def test_changes_strengths_and_directions_are_drawn_evenly(self):
        image = random_images(1, height=18, width=18)
        combinations = torch.cartesian_prod(torch.arange(len(CHANGES)), torch.arange(STEPS + 1), torch.tensor([-1, 1]))
        every = changed(image.expand(len(combinations), -1, -1, -1), *combinations.unbind(1))
        count = 10 * len(combinations)
        drawn = Counter(map(as_bytes, self.build()(image.expand(count, -1, -1, -1), generator())))
        possible = Counter(map(as_bytes, every))  # several may look alike, such as all that change nothing
        assert drawn.keys() <= possible.keys()
        assert stats.chisquare([drawn[look] for look in possible], [10 * n for n in possible.values()]).pvalue > 0.01


def as_bytes(image: torch.Tensor) -> bytes:
    return bytes(image.numpy())
