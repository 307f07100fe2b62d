"""Results, models, weights and data of somebody else are looked at and trained on; nothing in them is run."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import socket
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.leaderboard.logs import INFO, demo, write_search
from tests.space.searchfiles import OWN, read
from tuner.cli.main import main
from tuner.datasets.prepare import prepare
from tuner.facts.errors import TunerError, UsageError
from tuner.study.folder import Folder, portable_settings
from tuner.study.stored import stored_search
from tuner.training.state_files import read_state


class Planted:
    """What unpickles to a call that leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, (str(self.trace),)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "trace"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError("there is no network here")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def strangers_search(folder: Path, trainable: str) -> Path:
    """Write results whose search.json names a trainable."""
    path = write_search(folder / "results" / "demo", demo(), INFO)
    settings = portable_settings(read(folder, OWN)) | {"trainable": trainable, "name": "demo"}
    record = json.loads((path / "search.json").read_bytes())
    (path / "search.json").write_text(json.dumps({**record, "settings": settings, "data": None, "versions": {}}))
    return path


def test_the_trace_would_be_left(trace: Path) -> None:
    pickle.loads(pickle.dumps(Planted(trace)))
    assert trace.exists()


MODULE = "import pathlib\npathlib.Path('imported').mkdir()\n\ndef train(config):\n    yield {'loss': 1.0}\n"


@pytest.mark.parametrize(
    "command",
    [
        "leaderboard demo",
        "show demo/0",
        "show demo/0 --search-file",
        "confirm demo",
        "ablate demo/0",
        "train --from demo",
    ],
)
def test_a_module_that_results_name_is_not_imported(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = strangers_search(tmp_path, "evil:train")
    for folder in (path, tmp_path / "installed"):
        folder.mkdir(exist_ok=True)
        (folder / "evil.py").write_text(MODULE)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.syspath_prepend(tmp_path / "installed")
    monkeypatch.chdir(tmp_path / "elsewhere")
    code = main([*command.split(), "--results", str(tmp_path / "results")])
    assert (code == 0) == (command.startswith(("leaderboard", "show"))), capsys.readouterr().err
    assert not (tmp_path / "elsewhere" / "imported").exists()
    assert "evil" not in sys.modules


def test_one_s_own_trainable_is_named_by_its_folder_or_by_its_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "installed").mkdir()
    (tmp_path / "installed" / "package.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path / "installed")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    folder = Folder(strangers_search(tmp_path / "second", "package:train"))
    with pytest.raises(UsageError, match="--set trainable=package:train"):
        stored_search(folder)
    assert stored_search(folder, ["trainable=package:train"]).trainable == "package:train"
    with pytest.raises(UsageError):
        stored_search(folder, ["trainable=other:train"])
    (tmp_path / "here" / "package.py").write_text(MODULE)
    assert stored_search(folder).trainable == "package:train"


@pytest.mark.parametrize("file", ["state.pt", "weights.pth"])
def test_a_checkpoint_or_a_file_of_weights_is_not_unpickled(file: str, tmp_path: Path, trace: Path) -> None:
    torch.save({"epoch": 1, "weights": Planted(trace)}, tmp_path / file)
    with pytest.raises(ValueError, match="damaged"):
        read_state(tmp_path / file)
    (tmp_path / file).write_bytes(pickle.dumps(Planted(trace)))
    with pytest.raises(ValueError, match="damaged"):
        read_state(tmp_path / file)
    assert not trace.exists()


def test_arrays_in_the_cache_are_not_unpickled(tmp_path: Path, trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))
    before = prepare("digits", None)
    np.save(before.folder / "train_images.npy", np.array([Planted(trace)], dtype=object), allow_pickle=True)
    assert prepare("digits", None).fingerprint == before.fingerprint, "what cannot be read is decoded anew"
    assert not trace.exists()


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_pickles_and_archives_that_fail_their_checksum_are_not_opened(
    name: str, tmp_path: Path, trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """These two data sets are pickles as published; torchvision compares each file before it reads it."""
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "root"
    folder = root / {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}[name]
    folder.mkdir(parents=True)
    for file in ("data_batch_1", "data_batch_2", "test_batch", "batches.meta", "train", "test", "meta"):
        (folder / file).write_bytes(pickle.dumps(Planted(trace)))
    with tarfile.open(root / f"{name.replace('r1', 'r-1')}-python.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("../escaped")
        archive.addfile(member, io.BytesIO())
    with pytest.raises(TunerError):
        prepare(name, root)
    assert not trace.exists() and not (tmp_path / "escaped").exists()


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "svhn"])
@pytest.mark.parametrize("parts", [("raw",), ("raw", "processed")], ids="-".join)
def test_other_data_sets_are_numbers(
    name: str, parts: tuple[str, ...], tmp_path: Path, trace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "root"
    planted = pickle.dumps(Planted(trace))
    for top in ("MNIST", "FashionMNIST"):
        for part in parts:
            (root / top / part).mkdir(parents=True)
        for split in ("train", "t10k"):
            for kind in ("images-idx3", "labels-idx1"):
                (root / top / "raw" / f"{split}-{kind}-ubyte").write_bytes(planted)
                (root / top / "raw" / f"{split}-{kind}-ubyte.gz").write_bytes(gzip.compress(planted))
        for file in ("training.pt", "test.pt"):
            if "processed" in parts:
                (root / top / "processed" / file).write_bytes(planted)
    for split in ("train", "test"):
        (root / f"{split}_32x32.mat").write_bytes(planted)
    with pytest.raises(TunerError):
        prepare(name, root)
    assert not trace.exists()
