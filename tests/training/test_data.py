import numpy as np
import pytest
import torch

from tests.training.helpers import CPU
from tuner.facts.errors import UsageError
from tuner.training.data import TrainingData, channel_constants

CLASSES = ("a", "b")


def arrays(**changes):
    draw = np.random.default_rng(0)
    return {
        "train_images": draw.integers(0, 256, (30, 3, 9, 11), dtype=np.uint8),
        "train_labels": draw.integers(0, 2, 30),
        "validation_images": draw.integers(0, 256, (10, 3, 9, 11), dtype=np.uint8),
        "validation_labels": draw.integers(0, 2, 10),
        "classes": CLASSES,
        **changes,
    }


def test_constants_are_mean_and_per_pixel_std_of_the_training_images():
    images = np.random.default_rng(1).integers(0, 256, (2500, 3, 5, 7), dtype=np.uint8)
    images[:, 1] //= 3
    images[::2, 2] //= 2
    mean, std = channel_constants(torch.from_numpy(images))
    pixels = images.astype(np.float64) / 255
    assert mean.numpy() == pytest.approx(pixels.mean((0, 2, 3)), abs=1e-6)
    assert std.numpy() == pytest.approx(pixels.std((0, 2, 3)), abs=1e-6)
    mean_of_per_image_stds = pixels.std((2, 3)).mean(0)
    assert std[2].item() > mean_of_per_image_stds[2] + 0.01


def test_validation_images_have_no_part_in_the_constants():
    one = TrainingData.from_arrays(**arrays(), device=CPU)
    other = TrainingData.from_arrays(**arrays(validation_images=np.zeros((10, 3, 9, 11), np.uint8)), device=CPU)
    assert torch.equal(one.mean, other.mean)
    assert torch.equal(one.std, other.std)


def test_a_channel_of_one_colour_has_a_usable_deviation():
    mean, std = channel_constants(torch.full((4, 1, 8, 8), 51, dtype=torch.uint8))
    assert mean.item() == pytest.approx(0.2)
    assert std.item() == 1


def test_mapped_arrays_stay_mapped(tmp_path):
    given = arrays()
    np.save(tmp_path / "images.npy", given["train_images"])
    mapped = np.load(tmp_path / "images.npy", mmap_mode="c")
    data = TrainingData.from_arrays(**{**given, "train_images": mapped}, device=CPU)
    assert data.train_images.data_ptr() == mapped.ctypes.data
    assert data.image_shape == (3, 9, 11)
    assert data.train_labels.dtype == torch.int64


def test_arrays_that_refuse_writes_are_copied_without_a_warning(recwarn):
    given = arrays()
    given["train_images"].flags.writeable = False
    TrainingData.from_arrays(**given, device=CPU)
    assert not recwarn.list


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train_images": np.zeros((30, 9, 11, 3), np.float32)}, "uint8"),
        ({"train_images": np.zeros((1, 3, 9, 11), np.uint8), "train_labels": np.zeros(1, int)}, "at least 2 training"),
        ({"validation_images": np.zeros((0, 3, 9, 11), np.uint8)}, "validation labels must be 0"),
        ({"validation_images": np.zeros((10, 3, 9, 12), np.uint8)}, "one shape"),
        ({"train_labels": np.zeros(29, int)}, "30 integers"),
        ({"train_labels": np.full(30, 2)}, "from 0 to 1"),
        ({"validation_labels": np.full(10, -1)}, "from 0 to 1"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_in_a_sentence(changes, words):
    with pytest.raises(UsageError, match=words):
        TrainingData.from_arrays(**arrays(**changes), device=CPU)
