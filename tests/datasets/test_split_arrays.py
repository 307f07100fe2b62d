"""The split is written once, mapped by every process, and holds what ``split`` says."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from tuner.datasets.prepare import prepare
from tuner.datasets.prepared import PreparedData
from tuner.datasets.split import Reserved, reserved_images, split
from tuner.datasets.split_arrays import remove_split, split_arrays
from tuner.facts.errors import StorageError, UsageError

SETTINGS = {"validation": 300, "split_seed": 3, "train_images": 800}


def _ask(prepared: PreparedData) -> tuple[int, int]:
    arrays = split_arrays(prepared, **SETTINGS)  # type: ignore[arg-type]
    return len(arrays.train_labels), len(arrays.validation_labels)


def test_it_holds_the_split(tmp_path: Path) -> None:
    prepared = prepare("digits", cache=tmp_path)
    images, labels = prepared.load_train()
    train, held = split(labels, validation=300, split_seed=3, train_images=800)
    arrays = split_arrays(prepared, validation=300, split_seed=3, train_images=800)
    assert np.array_equal(arrays.train_images, images[train])
    assert np.array_equal(arrays.train_labels, labels[train])
    assert np.array_equal(arrays.validation_images, images[held])
    assert np.array_equal(arrays.validation_labels, labels[held])


def test_it_is_mapped_and_what_a_trial_writes_stays_its_own(tmp_path: Path) -> None:
    prepared = prepare("digits", cache=tmp_path)
    first = split_arrays(prepared, validation=300, split_seed=3, train_images=None)
    assert isinstance(first.train_images, np.memmap)
    first.train_images[:] = 7
    assert not np.all(split_arrays(prepared, validation=300, split_seed=3, train_images=None).train_images == 7)


def test_processes_that_ask_at_once_share_one(tmp_path: Path) -> None:
    prepared = prepare("digits", cache=tmp_path)
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        assert set(pool.map(_ask, [prepared] * 4)) == {(800, 300)}
    assert len([path for path in (prepared.folder / "splits").iterdir() if path.is_dir()]) == 1


def test_other_settings_are_another_split(tmp_path: Path) -> None:
    prepared = prepare("digits", cache=tmp_path)
    first = split_arrays(prepared, validation=300, split_seed=3, train_images=None)
    second = split_arrays(prepared, validation=300, split_seed=4, train_images=None)
    assert not np.array_equal(first.validation_images, second.validation_images)


def test_reserved_images_are_in_no_part(tmp_path: Path) -> None:
    prepared = prepare("digits", cache=tmp_path)
    images, labels = prepared.load_train()
    reserved = Reserved(count=100, seed=5)
    aside = {images[index].tobytes() for index in reserved_images(labels, reserved)}
    whole = split_arrays(prepared, validation=300, split_seed=3, train_images=None)
    arrays = split_arrays(prepared, validation=300, split_seed=3, train_images=None, reserved=reserved)
    assert len(arrays.train_labels) == len(whole.train_labels) - 100
    assert not aside & {image.tobytes() for part in (arrays.train_images, arrays.validation_images) for image in part}


def test_a_removed_split_frees_the_disk_and_comes_back_the_same(tmp_path: Path) -> None:
    prepared = prepare("digits", cache=tmp_path)
    before = split_arrays(prepared, **SETTINGS).train_images.copy()  # type: ignore[arg-type]
    split_arrays(prepared, validation=200, split_seed=3, train_images=None)
    remove_split(prepared, **SETTINGS)  # type: ignore[arg-type]
    assert len([path for path in (prepared.folder / "splits").iterdir() if path.is_dir()]) == 1
    assert np.array_equal(split_arrays(prepared, **SETTINGS).train_images, before)  # type: ignore[arg-type]


def test_counts_that_are_not_there_leave_nothing(tmp_path: Path) -> None:
    prepared = prepare("digits", cache=tmp_path)
    with pytest.raises(UsageError, match="validation"):
        split_arrays(prepared, validation=10_000, split_seed=0, train_images=None)
    assert not (prepared.folder / "splits").exists()


def test_a_split_that_was_cut_short_is_written_again(tmp_path: Path) -> None:
    prepared = prepare("digits", cache=tmp_path)
    split_arrays(prepared, validation=300, split_seed=3, train_images=None)
    images = next((prepared.folder / "splits").glob("*/train_images.npy"))
    images.write_bytes(images.read_bytes()[:1000])
    assert len(split_arrays(prepared, validation=300, split_seed=3, train_images=None).train_images) == 1138


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-7] ^= 1
    path.write_bytes(data)


def test_a_changed_byte_in_a_split_is_found_and_mended_by_who_looks(tmp_path: Path) -> None:
    prepared = prepare("digits", cache=tmp_path)
    good = split_arrays(prepared, **SETTINGS).train_images.copy()  # type: ignore[arg-type]
    flip(next((prepared.folder / "splits").glob("*/train_images.npy")))
    assert not np.array_equal(split_arrays(prepared, **SETTINGS).train_images, good)  # type: ignore[arg-type]
    assert np.array_equal(split_arrays(prepared, **SETTINGS, check=True).train_images, good)  # type: ignore[arg-type]


@pytest.mark.parametrize("file", ["train_images.npy", "train_labels.npy"])
def test_no_split_is_made_of_changed_images_which_are_decoded_again(tmp_path: Path, file: str) -> None:
    prepared = prepare("digits", cache=tmp_path)
    images = prepared.load_train()[0].copy()
    flip(prepared.folder / file)
    with pytest.raises(StorageError, match="not what was written there; the same command decodes them again"):
        split_arrays(prepared, **SETTINGS)  # type: ignore[arg-type]
    again = prepare("digits", cache=tmp_path)
    assert again == prepared and np.array_equal(again.load_train()[0], images)
    split_arrays(again, **SETTINGS)  # type: ignore[arg-type]
