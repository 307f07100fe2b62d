import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.datasets.split import Reserved, reserved_images, split
from tuner.facts.errors import UsageError

BALANCED = np.repeat(np.arange(10), 100)


def test_counts_are_exact_and_stratified():
    train, validation = split(BALANCED, validation=200, split_seed=0, train_images=300)
    assert np.bincount(BALANCED[validation]).tolist() == [20] * 10
    assert np.bincount(BALANCED[train]).tolist() == [30] * 10


def test_largest_remainder_settles_what_does_not_divide():
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    _, validation = split(labels, validation=7, split_seed=0)
    # 3.5, 2.1 and 1.4 images: the half is the largest remainder
    assert np.bincount(labels[validation]).tolist() == [4, 2, 1]


@given(
    st.lists(st.integers(5, 40), min_size=2, max_size=6),
    st.integers(0, 2**31),
    st.data(),
)
def test_every_image_is_in_one_part_at_most(counts, seed, data):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    total, classes = len(labels), len(counts)
    validation = data.draw(st.integers(classes, total - classes))
    train_images = data.draw(st.none() | st.integers(classes, total - validation))
    train, held = split(labels, validation=validation, split_seed=seed, train_images=train_images)
    assert len(held) == validation
    assert len(train) == (total - validation if train_images is None else train_images)
    assert not set(train) & set(held)
    assert len(set(train)) == len(train)
    for part in (train, held):
        ideal = np.bincount(labels[part], minlength=classes) - len(part) * np.array(counts) / total
        assert abs(ideal).max() < 2


def test_same_seed_same_split_and_another_seed_another():
    first, again, other = (split(BALANCED, validation=200, split_seed=seed) for seed in (3, 3, 4))
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    assert not np.array_equal(first[1], other[1])


def test_a_training_subset_leaves_the_validation_images_alone():
    _, whole = split(BALANCED, validation=200, split_seed=0)
    _, subset = split(BALANCED, validation=200, split_seed=0, train_images=50)
    assert np.array_equal(whole, subset)


def test_reserved_images_are_stratified_and_in_no_part_of_any_split():
    reserved = Reserved(count=50, seed=7)
    aside = reserved_images(BALANCED, reserved)
    assert np.bincount(BALANCED[aside]).tolist() == [5] * 10
    for split_seed in range(5):
        train, held = split(BALANCED, validation=200, split_seed=split_seed, reserved=reserved)
        assert sorted({*aside, *train, *held}) == list(range(1000))
        assert len(aside) + len(train) + len(held) == 1000
    assert not np.array_equal(aside, reserved_images(BALANCED, Reserved(count=50, seed=8)))


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"validation": 9}, "data.validation must lie between 10"),
        ({"validation": 991}, "and 990 (what there is), not 991"),
        ({"validation": 500, "train_images": 501}, "data.train_images must lie between 10 (one image a class) and 500"),
        ({"validation": 500, "train_images": 0}, "data.train_images"),
        ({"validation": 500, "train_images": 401, "reserved": Reserved(100, 0)}, "400 (what there is), not 401"),
    ],
)
def test_impossible_counts_are_refused(counts, said):
    with pytest.raises(UsageError) as raised:
        split(BALANCED, split_seed=0, **counts)
    assert said in str(raised.value)
