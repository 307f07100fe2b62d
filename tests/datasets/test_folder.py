import warnings

import numpy as np
import pytest
from PIL import Image

from tests.datasets.files import picture, write_images
from tuner.datasets.prepare import prepare
from tuner.datasets.test_split import load_test
from tuner.facts.errors import UsageError


def decode(tmp_path, images):
    return prepare("folder", write_images(tmp_path / "root", images), cache=tmp_path / "cache")


def test_train_and_test_folders(tmp_path):
    data = decode(
        tmp_path,
        {
            "train/dog/b.png": picture(1),
            "train/cat/a.jpg": picture(0),
            "train/dog/a.bmp": picture(1),
            "test/dog/x.png": picture(1),
        },
    )
    assert data.classes == ("cat", "dog")
    assert (data.train_count, data.test_count, data.shape) == (3, 1, (3, 4, 6))
    assert data.load_train()[1].tolist() == [0, 1, 1]
    assert load_test(data)[0][0, :, 0, 0].tolist() == [25, 26, 27]


def test_class_folders_alone_are_training_images_and_have_no_test_split(tmp_path):
    data = decode(tmp_path, {"cat/1.png": picture(0), "dog/1.png": picture(1)})
    assert (data.train_count, data.test_count) == (2, 0)
    with pytest.raises(UsageError, match="no test split"):
        load_test(data)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "I;16"])
def test_greyscale_images_have_one_channel(tmp_path, mode):
    data = decode(tmp_path, {"a/1.png": picture(1, mode), "b/1.png": picture(3, "L")})
    assert data.shape == (1, 4, 6)
    expected = np.asarray(picture(1, mode).convert("L")) if mode != "I;16" else 25
    assert (data.load_train()[0][0, 0] == expected).all()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_one_image_in_colour_makes_all_rgb(tmp_path, mode):
    data = decode(tmp_path, {"a/1.png": picture(2, "L"), "b/1.png": picture(3, "I;16"), "c/1.png": picture(1, mode)})
    assert data.load_train()[0][:, :, 0, 0].tolist() == [[45, 45, 45], [65, 65, 65], [25, 26, 27]]


@pytest.mark.parametrize(
    ("images", "said"),
    [
        ({"1.png": picture()}, "holds no class folders"),
        ({"test/a/1.png": picture()}, "has a test folder and no train folder beside it"),
        ({"a/1.png": picture(), "b/1.tga": picture()}, "b holds no image (.bmp, .gif"),
        ({"a/1.png": picture()}, "training images of 1 classes"),
        ({"train/a/1.png": picture(), "train/b/1.png": picture(), "test/c/1.png": picture()}, "test class 'c'"),
        ({"a/1.png": picture(), "b/1.png": picture(size=(7, 7))}, "b/1.png is 7x7 pixels and the first image 6x4"),
        ({"a/1.tiff": picture(mode="F"), "b/1.png": picture()}, "a/1.tiff is an image of 32 bits a pixel"),
    ],
)
def test_folders_that_make_no_data_set(tmp_path, images, said):
    with pytest.raises(UsageError) as raised:
        decode(tmp_path, images)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("images", "classes", "counts"),
    [
        ({"a/1.png": picture()}, ("a",), (1, 0)),
        ({"a/1.png": picture(), "b/1.tga": picture()}, ("a",), (1, 0)),
        ({"test/a/1.png": picture(), "test/b/1.png": picture()}, ("a", "b"), (2, 0)),
        ({"train/b/1.png": picture(), "test/c/1.png": picture(), "test/a/1.png": picture()}, ("a", "b", "c"), (1, 2)),
    ],
    ids=["one class", "a class without images", "test alone", "test classes that training lacks"],
)
def test_what_cannot_be_trained_on_can_be_evaluated(tmp_path, images, classes, counts):
    root = write_images(tmp_path / "root", images)
    data = prepare("folder", root, cache=tmp_path / "cache", to_evaluate=True)
    assert (data.classes, (data.train_count, data.test_count)) == (classes, counts)
    with pytest.raises(UsageError):  # what the cache holds now is not taken for a data set to train on
        prepare("folder", root, cache=tmp_path / "cache")


@pytest.mark.parametrize("images", [{"1.png": picture()}, {"a/1.tga": picture()}, {"test/1.png": picture()}])
def test_without_images_nothing_can_be_evaluated(tmp_path, images):
    with pytest.raises(UsageError, match="holds no"):
        prepare("folder", write_images(tmp_path / "root", images), cache=tmp_path / "cache", to_evaluate=True)


def test_a_truncated_image_is_named(tmp_path):
    root = write_images(tmp_path / "root", {"a/1.jpg": picture(), "b/1.jpg": picture()})
    file = root / "b" / "1.jpg"
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(UsageError, match=r"b/1\.jpg cannot be decoded"):
        prepare("folder", root, cache=tmp_path / "cache")


def test_a_large_image_is_decoded_in_silence_and_one_too_large_is_said_to_be(tmp_path, monkeypatch):
    images = {"a/1.png": picture(), "b/1.png": picture()}
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 13)  # of the 24; Pillow warns from here, and refuses from twice
    with warnings.catch_warnings(action="error"):
        assert decode(tmp_path, images).train_count == 2
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(UsageError, match=r"a/1.png cannot be decoded: it has more than 20 pixels"):
        prepare("folder", tmp_path / "root", cache=tmp_path / "other")
