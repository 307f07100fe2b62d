import subprocess
import sys

import numpy as np
import pytest

from tuner.datasets.prepare import NAMES, prepare
from tuner.datasets.test_split import load_test
from tuner.facts.errors import UsageError
from tuner.facts.records import DATASETS


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def test_digits(cache):
    data = prepare("digits", cache=cache)
    images, labels = data.load_train()
    assert (data.train_count, data.test_count, data.shape) == (1438, 359, (1, 8, 8))
    assert (images.min(), images.max()) == (0, 255)
    shares = np.bincount(labels) / len(labels)
    assert np.allclose(shares, np.bincount(load_test(data)[1]) / 359, atol=0.003)


def test_synthetic_is_balanced_and_shares_no_image_between_splits(cache):
    data = prepare("synthetic", cache=cache)
    images, labels = data.load_train()
    test_images, test_labels = load_test(data)
    assert (images.shape, test_images.shape) == ((2000, 3, 32, 32), (500, 3, 32, 32))
    assert np.bincount(labels).tolist() == [200] * 10
    assert np.bincount(test_labels).tolist() == [50] * 10
    assert not {image.tobytes() for image in images} & {image.tobytes() for image in test_images}


def test_synthetic_cannot_be_told_from_single_pixels(cache):
    """The nearest class mean, which is a linear rule, stays below a half; a small convolutional network gets 0.8."""
    data = prepare("synthetic", cache=cache)
    images, labels = data.load_train()
    flat = images.reshape(len(images), -1).astype(float)
    means = np.stack([flat[labels == label].mean(axis=0) for label in range(10)])
    test_images, test_labels = load_test(data)
    distances = ((test_images.reshape(500, 1, -1) - means) ** 2).sum(axis=-1)
    assert (distances.argmin(axis=1) == test_labels).mean() < 0.5


def test_built_in_data_sets_take_no_root(cache, tmp_path):
    with pytest.raises(UsageError, match=r"data\.root has no meaning for digits"):
        prepare("digits", tmp_path, cache=cache)


def test_a_driver_stays_without_torch(cache):
    code = (
        "import sys; from pathlib import Path; from tuner.datasets.prepare import NAMES, prepare;"
        "prepare('digits', cache=Path(sys.argv[1]));"
        "sys.exit(any(name in sys.modules for name in ('torch', 'sklearn')))"
    )
    prepare("digits", cache=cache)
    assert subprocess.run([sys.executable, "-c", code, str(cache)], check=False).returncode == 0


def test_the_search_file_knows_the_names():
    assert set(DATASETS) == set(NAMES)
