import numpy as np
import pytest

from tests.datasets.files import parquet_root, picture, png, write_parquet
from tuner.datasets.prepare import prepare
from tuner.datasets.test_split import load_test
from tuner.facts.errors import UsageError


def refused(root, tmp_path):
    with pytest.raises(UsageError) as raised:
        prepare("parquet", root, cache=tmp_path / "cache")
    assert not list((tmp_path / "cache" / "datasets").glob(".new-*")), "nothing half-written stays"
    return str(raised.value)


@pytest.mark.parametrize("place", [".", "data", "plain_text"])
@pytest.mark.parametrize(("image", "label"), [("img", "label"), ("image", "labels"), ("img", "fine_label")])
def test_columns_and_places_that_hugging_face_uses(tmp_path, place, image, label):
    parquet_root(tmp_path / "root" / place, image=image, label=label, names=["cat", "dog", "owl"])
    data = prepare("parquet", tmp_path / "root", cache=tmp_path / "cache")
    assert data.classes == ("cat", "dog", "owl")
    images, labels = data.load_train()
    assert images.shape == (6, 3, 4, 6)
    assert images.dtype == np.uint8
    assert labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert images[:, :, 0, 0].tolist() == [[20 * k + 5, 20 * k + 6, 20 * k + 7] for k in labels]


def test_a_class_name_that_stands_twice_is_told_apart_by_its_label(tmp_path):
    parquet_root(tmp_path / "root", names=["crane", "owl", "crane"])
    data = prepare("parquet", tmp_path / "root", cache=tmp_path / "cache")
    assert data.classes == ("crane (0)", "owl", "crane (2)")


def test_shards_are_read_in_order_and_classes_are_numbered_without_names(tmp_path):
    for shard, labels in enumerate(([2, 0], [1, 1])):
        write_parquet(tmp_path / f"train-{shard}.parquet", [png(picture(label)) for label in labels], labels)
    write_parquet(tmp_path / "test.parquet", [png(picture(1))], [1])
    data = prepare("parquet", tmp_path, cache=tmp_path / "cache")
    assert data.classes == ("0", "1", "2")
    assert data.load_train()[1].tolist() == [2, 0, 1, 1]
    assert data.test_count == 1
    assert load_test(data)[1].tolist() == [1]


def test_more_images_than_one_batch(tmp_path):
    labels = [index % 3 for index in range(2500)]
    encoded = [png(picture(label)) for label in range(3)]
    write_parquet(tmp_path / "train.parquet", [encoded[label] for label in labels], labels)
    images, read = prepare("parquet", tmp_path, cache=tmp_path / "cache").load_train()
    assert read.tolist() == labels
    assert (images[:, 0, 0, 0] == 20 * read + 5).all()


def test_a_truncated_file_is_named(tmp_path):
    file = parquet_root(tmp_path) / "train-0.parquet"
    file.write_bytes(file.read_bytes()[:-200])
    assert str(file) in refused(tmp_path, tmp_path)


def test_a_flipped_byte_in_a_checksummed_file_never_passes_as_data(tmp_path):
    import pyarrow.parquet as pq

    file = parquet_root(tmp_path) / "train-0.parquet"
    pq.write_table(pq.read_table(file), file, write_page_checksum=True, compression="none")
    content = bytearray(file.read_bytes())
    content[content.index(b"IDAT") + 8] ^= 1
    file.write_bytes(content)
    assert str(file) in refused(tmp_path, tmp_path)


@pytest.mark.parametrize("content", [b"", b"no image at all", png()[:45]])
def test_an_undecodable_image_is_named_by_file_and_row(tmp_path, content):
    file = write_parquet(tmp_path / "train.parquet", [png(), png(), content], [0, 1, 0])
    assert f"{file}, row 2 cannot be decoded" in refused(tmp_path, tmp_path)


def test_an_image_of_another_size_is_named(tmp_path):
    file = write_parquet(tmp_path / "train.parquet", [png(), png(picture(size=(5, 4)))], [0, 1])
    assert f"{file}, row 1 is 5x4 pixels and the first image 6x4" in refused(tmp_path, tmp_path)


def test_test_images_of_another_size_are_refused(tmp_path):
    parquet_root(tmp_path)
    write_parquet(tmp_path / "test.parquet", [png(picture(size=(5, 4)))], [0])
    assert refused(tmp_path, tmp_path) == "training images are 6x4 pixels and test images 5x4"


def test_missing_bytes_are_named_by_row(tmp_path):
    file = write_parquet(tmp_path / "train.parquet", [png(), None], [0, 1])
    assert f"{file}, row 1 has no image bytes" in refused(tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("labels", "names", "said"),
    [
        ([0, 1, None], None, "row 2 has no label"),
        ([0, 1, 3], ["a", "b", "c"], "training image 2 has label 3; labels of 3 classes run from 0 to 2"),
        ([0, 1, -1], ["a", "b", "c"], "training image 2 has label -1"),
        ([0, 1, 10**15], None, "training image 2 has label 1000000000000000; labels of 3 classes"),
        ([1, 1, 1], ["a", "b", "c"], "training images of 1 classes; a classifier needs at least two"),
    ],
)
def test_bad_labels(tmp_path, labels, names, said):
    write_parquet(tmp_path / "train.parquet", [png()] * 3, labels, names=names)
    assert said in refused(tmp_path, tmp_path)


def test_a_test_label_out_of_range(tmp_path):
    parquet_root(tmp_path)
    write_parquet(tmp_path / "test.parquet", [png()], [3])
    assert "test image 0 has label 3" in refused(tmp_path, tmp_path)


def test_a_file_without_the_columns_says_what_it_has(tmp_path):
    write_parquet(tmp_path / "train.parquet", [png()], [0], image="picture")
    assert "one of the columns img, image, and has only picture, label" in refused(tmp_path, tmp_path)


def test_no_training_files(tmp_path):
    write_parquet(tmp_path / "test.parquet", [png()], [0])
    assert "no train*.parquet in" in refused(tmp_path, tmp_path)


def test_two_folders_that_could_be_meant(tmp_path):
    parquet_root(tmp_path / "a")
    parquet_root(tmp_path / "b")
    assert "train*.parquet in a and b; name one of them" in refused(tmp_path, tmp_path)
