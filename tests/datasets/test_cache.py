import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from tests.datasets.files import parquet_root, picture, write_images
from tuner.datasets.cache import cache_folder
from tuner.datasets.prepare import prepare
from tuner.facts.errors import ExitCode, StorageError, UsageError

PREPARE = (
    "import sys; from pathlib import Path; import tuner.datasets.cache as cache\n"
    "from tuner.datasets.prepare import prepare\n"
    "write = cache.write_entry\n"
    "def counted(*arguments):\n"
    "    print('decoded', flush=True)\n"
    "    return write(*arguments)\n"
    "cache.write_entry = counted\n"
    "prepare('parquet', Path(sys.argv[1]), cache=Path(sys.argv[2]))\n"
)


def inodes(data):
    return [file.stat().st_ino for file in sorted(data.folder.iterdir())]


def test_decoded_once(tmp_path):
    root = parquet_root(tmp_path / "root")
    first = prepare("parquet", root, cache=tmp_path / "cache")
    before = inodes(first)
    assert prepare("parquet", root, cache=tmp_path / "cache") == first
    assert inodes(first) == before


def test_parallel_processes_decode_once(tmp_path):
    root = parquet_root(tmp_path / "root", labels=[0, 1] * 500)
    command = [sys.executable, "-c", PREPARE, str(root), str(tmp_path / "cache")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert sorted(said) == ["", "", "", "decoded\n"]


def test_the_fingerprint_tells_content_and_not_place(tmp_path):
    images = {"a/1.png": picture(1), "b/1.png": picture(2)}
    one = prepare("folder", write_images(tmp_path / "one", images), cache=tmp_path / "cache")
    two = prepare("folder", write_images(tmp_path / "two", images), cache=tmp_path / "cache")
    elsewhere = prepare("folder", write_images(tmp_path / "two", images), cache=tmp_path / "cache2")
    assert one == two
    assert one.fingerprint == elsewhere.fingerprint
    renamed = {"a/1.png": picture(1), "c/1.png": picture(2)}
    other = prepare("folder", write_images(tmp_path / "three", renamed), cache=tmp_path / "cache")
    assert other.fingerprint != one.fingerprint


def test_a_changed_source_is_decoded_again(tmp_path):
    root = write_images(tmp_path / "root", {"a/1.png": picture(1), "b/1.png": picture(2)})
    before = prepare("folder", root, cache=tmp_path / "cache")
    write_images(root, {"b/1.png": picture(7)})
    after = prepare("folder", root, cache=tmp_path / "cache")
    assert before.fingerprint != after.fingerprint
    assert after.load_train()[0][1, 0, 0, 0] == 145


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("train_images.npy", lambda file: os.truncate(file, file.stat().st_size - 10)),
        ("train_images.npy", lambda file: os.truncate(file, 0)),
        ("train_labels.npy", lambda file: np.save(file, np.zeros(6, dtype=np.int32))),
        ("meta.json", lambda file: file.write_text("{")),
        ("meta.json", lambda file: file.write_text(file.read_text().replace('"train_count": 6', '"train_count": 5'))),
        ("meta.json", lambda file: file.unlink()),
    ],
)
def test_a_damaged_entry_is_decoded_again(tmp_path, file, damage):
    root = parquet_root(tmp_path / "root")
    data = prepare("parquet", root, cache=tmp_path / "cache")
    images = data.load_train()[0].copy()
    damage(data.folder / file)
    assert prepare("parquet", root, cache=tmp_path / "cache") == data
    assert np.array_equal(data.load_train()[0], images)


def test_what_one_process_writes_into_its_images_stays_its_own(tmp_path):
    data = prepare("parquet", parquet_root(tmp_path / "root"), cache=tmp_path / "cache")
    images, _ = data.load_train()
    images[:] = 0
    assert data.load_train()[0].max() > 0


def test_prepared_data_pickles_small(tmp_path):
    data = prepare("parquet", parquet_root(tmp_path / "root"), cache=tmp_path / "cache")
    assert pickle.loads(pickle.dumps(data)) == data
    assert len(pickle.dumps(data)) < 1000


def test_what_a_killed_process_left_is_cleared_away(tmp_path):
    root = parquet_root(tmp_path / "root", labels=[0, 1] * 500)
    code = (
        "import os, sys; from pathlib import Path; import tuner.datasets.cache as cache\n"
        "from tuner.datasets.prepare import prepare\n"
        "cache.write_entry = lambda *_: os.kill(os.getpid(), 9)\n"
        "prepare('parquet', Path(sys.argv[1]), cache=Path(sys.argv[2]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(root), str(tmp_path / "cache")], check=False)
    assert done.returncode == -9
    left = tmp_path / "cache" / "datasets"
    assert list(left.glob(".new-*"))
    assert prepare("parquet", root, cache=tmp_path / "cache").train_count == 1000
    assert not list(left.glob(".new-*"))


def test_a_cache_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError) as raised:
        prepare("digits", cache=tmp_path / "file" / "cache")
    assert str(tmp_path / "file" / "cache") in str(raised.value)
    assert raised.value.code is ExitCode.STORAGE


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    code = (
        "import resource, sys; from pathlib import Path; from tuner.datasets.prepare import prepare\n"
        "from tuner.facts.errors import StorageError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try: prepare('synthetic', cache=Path(sys.argv[1]))\n"
        "except StorageError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "cannot be written (File too large); make room there or set TUNER_CACHE" in done.stdout
    assert sorted(path.name for path in (tmp_path / "datasets").iterdir()) == [".lock", "sources"]


@pytest.mark.parametrize(
    ("dataset", "root", "said"),
    [
        ("cifar", None, "unknown data set 'cifar'; did you mean 'cifar10'?"),
        ("zzz", None, "choose one of cifar10, cifar100, mnist, fashion_mnist, svhn, parquet, folder, digits, synth"),
        ("folder", None, "data.root must name the folder that holds the folder data set"),
        ("parquet", "missing", "is missing"),
        ("cifar10", "file", "is no folder"),
    ],
)
def test_names_and_roots_that_cannot_be_used(tmp_path, dataset, root, said):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError) as raised:
        prepare(dataset, root and tmp_path / root, cache=tmp_path / "cache")
    assert said in str(raised.value)
    assert not (tmp_path / "cache").exists()


def test_the_cache_lies_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("TUNER_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / ".cache" / "tuner"
