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
from tests.training.helpers import coloured, digits, generator, random_images, run, small
from tests.training.waits import HostReads
from tuner.facts.errors import UsageError
from tuner.hyperparameters.augmentation import Augmentation
from tuner.hyperparameters.declare import fields_of
from tuner.hyperparameters.inputs import Input
from tuner.hyperparameters.mixing import Mixing
from tuner.training import mixing, normalization
from tuner.training.augmentation import pipeline

ALL_BUT_COLOURS = {
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
    images = digits().train_images[:20]
    got = pipeline.build(Augmentation(**ALL_BUT_COLOURS), digits())(images, generator())
    assert got.shape == images.shape
    assert not torch.equal(got, images)


def test_images_that_are_measured_are_never_augmented():
    """At a rate that moves nothing, augmentation changes what the steps see and nothing that is measured."""
    plain, _ = run(small(epochs=1, lr=1e-12), digits(300))
    augmented, _ = run(small(epochs=1, lr=1e-12, **ALL_BUT_COLOURS), digits(300))
    measured = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")
    assert [augmented[0][name] for name in measured] == pytest.approx([plain[0][name] for name in measured], rel=1e-6)
    assert augmented[0]["objective"] != pytest.approx(plain[0]["objective"], rel=1e-4)


def test_nothing_waits_for_the_device(monkeypatch):
    images, labels = random_images(8), torch.arange(8)
    augment = pipeline.build(Augmentation(**ALL_BUT_COLOURS, saturation=0.3, hue=0.1, grayscale=0.5), coloured())
    normalize = normalization.build(Input(image_size=16), coloured())
    mix = mixing.build(Mixing(mixup_alpha=0.4, cutmix_alpha=1.0, mix_per="image"), 8)
    drawing = generator()
    with HostReads(monkeypatch) as reads:
        mix(normalize(augment(images, drawing)), labels, drawing)
    assert reads.count == 0
