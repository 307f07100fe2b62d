"""What a node takes into its cache is what the driver's node has, whole, or nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tuner.datasets.cache import Cache
from tuner.datasets.entry import FILES
from tuner.datasets.prepare import prepare
from tuner.facts.errors import StorageError
from tuner.study.delivery import PIECE_BYTES, Depot


def test_pieces_make_the_file_and_are_counted(tmp_path: Path) -> None:
    content = bytes(range(256)) * (PIECE_BYTES // 256) + b"the rest"
    (tmp_path / "file").write_bytes(content)
    depot = Depot({"parcel": {"file": tmp_path / "file"}})
    assert depot.sizes("parcel") == {"file": len(content)}
    pieces = [depot.piece("parcel", "file", start, "node") for start in range(0, len(content), PIECE_BYTES)]
    assert len(pieces) == 2
    assert b"".join(pieces) == content
    assert depot.sent() == {"node": len(content)}


def test_an_entry_of_another_cache_is_taken_in(tmp_path: Path) -> None:
    theirs, ours = prepare("digits", cache=tmp_path / "theirs"), Cache(tmp_path / "ours")
    assert ours.entry(theirs.fingerprint) is None

    def fetch(folder: Path) -> None:
        for name in FILES:
            if (theirs.folder / name).exists():
                shutil.copy(theirs.folder / name, folder / name)

    with ours.locked():
        taken = ours.take_in(theirs.fingerprint, fetch)
    assert taken == ours.entry(theirs.fingerprint)
    assert taken.folder.is_relative_to(tmp_path / "ours")
    assert (taken.load_train()[0] == theirs.load_train()[0]).all()


@pytest.mark.parametrize("damage", ["a changed byte", "a file too few", "no meta.json"])
def test_what_arrives_damaged_is_not_kept(tmp_path: Path, damage: str) -> None:
    theirs, ours = prepare("digits", cache=tmp_path / "theirs"), Cache(tmp_path / "ours")

    def fetch(folder: Path) -> None:
        for file in theirs.folder.glob("*.*"):
            content = bytearray(file.read_bytes())
            if damage == "a changed byte" and file.name == "train_images.npy":
                content[-100] ^= 1
            if (damage, file.name) not in (("a file too few", "train_labels.npy"), ("no meta.json", "meta.json")):
                (folder / file.name).write_bytes(content)

    with pytest.raises(StorageError, match="arrived damaged"), ours.locked():
        ours.take_in(theirs.fingerprint, fetch)
    assert ours.entry(theirs.fingerprint) is None
    assert not list((tmp_path / "ours/datasets").glob(".new-*"))
