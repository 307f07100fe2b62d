"""Real downloads by torchvision from a server on this machine: unpacking, checksums and all."""

import gzip
import hashlib
import pickle
import struct
import tarfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
import torchvision

from tuner.datasets.prepare import prepare
from tuner.datasets.test_split import load_test
from tuner.datasets.torchvision_names import LAYOUTS
from tuner.facts.errors import StorageError, UsageError

LABELS = {"train": [0, 1, 2, 1], "test": [2, 0]}


@pytest.fixture
def address(tmp_path, monkeypatch):
    """An http address that serves ``tmp_path``."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=tmp_path)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def md5(file):
    return hashlib.md5(file.read_bytes()).hexdigest()


def pixels(labels, shape):
    return np.stack([np.full(shape, 10 * label + 1, dtype=np.uint8) for label in labels])


def serve_mnist(folder, monkeypatch, address, name):
    folder.mkdir()
    resources = []
    for split, prefix in (("train", "train"), ("test", "t10k")):
        images, labels = pixels(LABELS[split], (28, 28)), np.array(LABELS[split], dtype=np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            file = folder / f"{prefix}-{kind}-ubyte.gz"
            file.write_bytes(gzip.compress(header + array.tobytes()))
            resources.append((file.name, md5(file)))
    dataset = getattr(torchvision.datasets, name)
    monkeypatch.setattr(dataset, "mirrors", [f"{address}/{folder.name}/"])
    monkeypatch.setattr(dataset, "resources", resources)


def serve_cifar(folder, monkeypatch, address, name):
    dataset = getattr(torchvision.datasets, name)
    base = folder / dataset.base_folder
    base.mkdir(parents=True)
    key = "labels" if name == "CIFAR10" else "fine_labels"
    lists = {}
    for split, labels in LABELS.items():
        rows = pixels(labels, (3, 32, 32)).reshape(len(labels), -1)
        (base / split).write_bytes(pickle.dumps({"data": rows, key: labels}))
        lists[split] = [[split, md5(base / split)]]
    meta = base / dataset.meta["filename"]
    meta.write_bytes(pickle.dumps({dataset.meta["key"]: ["cat", "dog", "owl"]}))
    archive = folder / dataset.filename
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(base, arcname=base.name)
    monkeypatch.setattr(dataset, "url", f"{address}/{folder.name}/{archive.name}")
    monkeypatch.setattr(dataset, "tgz_md5", md5(archive))
    monkeypatch.setattr(dataset, "train_list", lists["train"])
    monkeypatch.setattr(dataset, "test_list", lists["test"])
    monkeypatch.setattr(dataset, "meta", {**dataset.meta, "md5": md5(meta)})


def serve_svhn(folder, monkeypatch, address):
    from scipy.io import savemat

    folder.mkdir()
    listed = {}
    for split, labels in LABELS.items():
        file = folder / f"{split}_32x32.mat"
        as_kept = np.array([[10 if label == 0 else label] for label in labels])  # SVHN calls the digit 0 a ten
        savemat(file, {"X": pixels(labels, (3, 32, 32)).transpose(2, 3, 1, 0), "y": as_kept})
        listed[split] = [f"{address}/{folder.name}/{file.name}", file.name, md5(file)]
    monkeypatch.setattr(torchvision.datasets.SVHN, "split_list", listed)


SERVED = {
    "mnist": (partial(serve_mnist, name="MNIST"), (1, 28, 28)),
    "fashion_mnist": (partial(serve_mnist, name="FashionMNIST"), (1, 28, 28)),
    "cifar10": (partial(serve_cifar, name="CIFAR10"), (3, 32, 32)),
    "cifar100": (partial(serve_cifar, name="CIFAR100"), (3, 32, 32)),
    "svhn": (serve_svhn, (3, 32, 32)),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_downloads_decodes_and_needs_the_network_no_more(tmp_path, monkeypatch, capsys, address, name):
    served, cache = tmp_path / "served", tmp_path / "cache"
    serve, shape = SERVED[name]
    serve(served, monkeypatch, address)
    data = prepare(name, cache=cache)
    for (images, labels), split in ((data.load_train(), "train"), (load_test(data), "test")):
        assert labels.tolist() == LABELS[split]
        assert images.shape == (len(labels), *shape)
        assert images[:, 0, 0, 0].tolist() == [10 * label + 1 for label in LABELS[split]]
    assert capsys.readouterr().out == "", "stdout carries results alone"
    served.rename(tmp_path / "away")
    assert prepare(name, cache=cache) == data


def test_files_that_lie_in_root_already_are_used(tmp_path, monkeypatch, address):
    serve_cifar(tmp_path / "root", monkeypatch, address, "CIFAR10")
    (tmp_path / "root" / torchvision.datasets.CIFAR10.filename).unlink()
    data = prepare("cifar10", tmp_path / "root", cache=tmp_path / "cache")
    assert data.classes == ("cat", "dog", "owl")


def test_without_a_network_says_what_to_put_where(tmp_path, monkeypatch, address):
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", f"{address}/absent")
    with pytest.raises(UsageError) as raised:
        prepare("cifar10", cache=tmp_path / "cache")
    said = str(raised.value)
    assert f"cifar10 is not in {tmp_path / 'cache' / 'downloads' / 'cifar10'} and could not be downloaded" in said
    assert said.endswith("put cifar-10-python.tar.gz from https://www.cs.toronto.edu/~kriz/ there by hand")
    assert "\n" not in said


def test_a_download_with_a_wrong_checksum_is_refused(tmp_path, monkeypatch, address):
    serve_cifar(tmp_path / "served", monkeypatch, address, "CIFAR10")
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "tgz_md5", "0" * 32)
    with pytest.raises(UsageError, match="cifar10 is not in"):
        prepare("cifar10", cache=tmp_path / "cache")


def test_a_full_disk_during_the_download_is_a_storage_error(tmp_path, monkeypatch):
    def full(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torchvision.datasets, "MNIST", full)
    with pytest.raises(StorageError, match="No space left on device"):
        prepare("mnist", cache=tmp_path / "cache")
