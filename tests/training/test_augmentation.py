"""The augmentations together: none is untested, their order, and what they refuse."""

import pytest
import torch

from tests.training import (
    test_augmentation_colour,
    test_augmentation_geometry,
    test_augmentation_occlusion,
    test_augmentation_trivial,
)
from tests.training.augmentations import MEAN, AugmentationContract
from tests.training.helpers import coloured, digits, generator
from tuner.facts.errors import UsageError
from tuner.hyperparameters.augmentation import Augmentation
from tuner.hyperparameters.declare import fields_of
from tuner.training.augmentation import pipeline


def test_every_augmentation_has_a_contract_test():
    modules = (
        test_augmentation_geometry,
        test_augmentation_colour,
        test_augmentation_occlusion,
        test_augmentation_trivial,
    )
    classes = [value for module in modules for value in vars(module).values() if isinstance(value, type)]
    tested = {getattr(one, "name", None) for one in classes if issubclass(one, AugmentationContract)} - {None}
    assert tested == set(pipeline.AUGMENTATIONS)


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
