"""Checkpoints of trials, with the same promises in folders and on object storage (a real S3 server)."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.storage.server import S3Server, s3
from tuner.facts.addresses import WORKING_COPIES
from tuner.facts.errors import ResultsDamagedError, StorageError
from tuner.storage.copies import attach, origin
from tuner.study.checkpoint_stores import Checkpoint, store_of
from tuner.study.checkpoints import TrialCheckpoints
from tuner.study.sums import SUMS_FILE

__all__ = ["s3"]


class CheckpointContract:
    """What every store of checkpoints keeps to. ``root`` is a search's checkpoint folder as a process sees it."""

    ending: str

    def attempt(self, root: Path, attempt: int = 1, after_epoch: int = 0) -> TrialCheckpoints:
        made = TrialCheckpoints(root, 7, attempt)
        self.continued_from = made.prepare(after_epoch)
        return made

    def trained(self, root: Path, epochs: int, attempt: int = 1, after_epoch: int = 0) -> TrialCheckpoints:
        """Return an attempt that kept a checkpoint after each of some epochs."""
        made = self.attempt(root, attempt, after_epoch)
        for epoch in range(self.continued_from + 1, epochs + 1):
            (made.work / "epoch").write_text(str(epoch))
            assert made.keep(epoch) == f"a{attempt}-e{epoch}{self.ending}"
        return made

    def test_a_trial_begins_with_an_empty_folder(self, root: Path) -> None:
        assert not list(self.attempt(root).work.iterdir())
        assert self.continued_from == 0

    def test_an_empty_folder_is_no_checkpoint(self, root: Path) -> None:
        assert self.attempt(root).keep(1) is None
        assert store_of(root).of(7) == []

    def test_another_attempt_goes_on_from_the_newest(self, root: Path) -> None:
        self.trained(root, 3)
        second = self.attempt(root, attempt=2, after_epoch=3)
        assert self.continued_from == 3
        assert (second.work / "epoch").read_text() == "3"

    def test_what_is_ahead_of_the_log_is_trained_again(self, root: Path) -> None:
        self.trained(root, 3)
        second = self.trained(root, 4, attempt=2, after_epoch=2)
        assert self.continued_from == 2
        assert (second.work / "epoch").read_text() == "4"
        assert store_of(root).of(7) == [Checkpoint(3, 2), Checkpoint(4, 2)]

    def test_two_are_kept_while_a_trial_lives(self, root: Path) -> None:
        self.trained(root, 5).clear_work()
        assert store_of(root).of(7) == [Checkpoint(4, 1), Checkpoint(5, 1)]
        self.trained(root, 6, attempt=2, after_epoch=5).clear_work()
        assert store_of(root).of(7) == [Checkpoint(5, 1), Checkpoint(6, 2)]

    def test_files_folders_links_and_odd_names_come_back(self, root: Path) -> None:
        first = self.attempt(root)
        (first.work / "größe \n x").mkdir()
        (first.work / "größe \n x" / "empty").mkdir()
        (first.work / "größe \n x" / "state").write_bytes(bytes(range(256)) * 100)
        (first.work / "größe \n x" / "long").write_text("y" * 3)
        (first.work / ("n" * 200)).write_text("z")
        (first.work / "latest").symlink_to("größe \n x/state")
        os.link(first.work / "größe \n x" / "state", first.work / "same")
        assert first.keep(1) is not None
        work = self.attempt(root, attempt=2, after_epoch=1).work
        assert sorted(str(path.relative_to(work)) for path in work.rglob("*")) == sorted(
            str(path.relative_to(first.work)) for path in first.work.rglob("*")
        )
        assert (work / "latest").is_symlink()
        assert (work / "latest").read_bytes() == (work / "same").read_bytes() == bytes(range(256)) * 100

    def test_what_nobody_can_keep_fails_in_a_sentence_and_leaves_the_last_one(self, root: Path) -> None:
        first = self.trained(root, 2)
        os.mkfifo(first.work / "pipe")
        with pytest.raises(ValueError, match="left in its checkpoint folder cannot be"):
            first.keep(3)
        self.attempt(root, attempt=2, after_epoch=2)
        assert self.continued_from == 2

    def test_only_what_is_wanted_stays_when_nothing_runs(self, root: Path) -> None:
        self.trained(root, 3)
        for number in (8, 9):
            other = TrialCheckpoints(root, number, 1)
            other.prepare(0)
            (other.work / "x").touch()
            other.keep(1)
        store = store_of(root)
        store.keep_only({7: 2, 9: 1})
        assert store.of(7) == [Checkpoint(2, 1)], "the one of epoch 3 is ahead of the log"
        assert (store.of(8), store.of(9)) == ([], [Checkpoint(1, 1)])

    @pytest.mark.parametrize("how", ["truncated", "flipped", "lacking", "gone"])
    def test_a_damaged_checkpoint_is_passed_over(self, root: Path, how: str, capfd: pytest.CaptureFixture[str]) -> None:
        self.trained(root, 3)
        self.damage(root, "a1-e3", how)
        second = self.attempt(root, attempt=2, after_epoch=3)
        assert self.continued_from == 2
        assert (second.work / "epoch").read_text() == "2"
        said = capfd.readouterr().err
        if how != "gone":  # nobody knows then that there was one
            assert f"/7/a1-e3{self.ending} is not what was written: " in said
            assert said.endswith("; the trial goes on after epoch 2\n") and said.count("\n") == 1
        second.keep(3)
        assert store_of(root).of(7) == [Checkpoint(2, 1), Checkpoint(3, 2)], "the damaged one is in nobody's way"

    def test_a_trial_none_of_whose_checkpoints_is_whole_begins_again(
        self, root: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        self.trained(root, 3)
        self.damage(root, "a1-e2", "flipped")
        self.damage(root, "a1-e3", "lacking")
        second = self.attempt(root, attempt=2, after_epoch=3)
        assert self.continued_from == 0 and not list(second.work.iterdir())
        said = capfd.readouterr().err
        assert said.endswith("; the trial begins again\n") and "a1-e2" in said and "a1-e3" in said

    def test_a_checkpoint_of_an_earlier_version_is_taken_as_it_is(self, root: Path) -> None:
        self.trained(root, 2)
        self.damage(root, "a1-e2", "without sums")
        assert (self.attempt(root, attempt=2, after_epoch=2).work / "epoch").read_text() == "2"
        assert self.continued_from == 2

    def test_a_trainable_sees_what_it_left_and_nothing_else(self, root: Path) -> None:
        first = self.trained(root, 1)
        (first.work / SUMS_FILE).write_text("a file of the same name is not the trainable's")
        first.keep(2)
        second = self.attempt(root, attempt=2, after_epoch=2)
        assert self.continued_from == 2 and [path.name for path in second.work.iterdir()] == ["epoch"]

    def damage(self, root: Path, name: str, how: str) -> None:
        """Do something to a checkpoint of trial 7 that holds one file, called epoch."""
        raise NotImplementedError

    def test_a_trial_is_removed(self, root: Path) -> None:
        self.trained(root, 2)
        store_of(root).remove_trial(7)
        assert store_of(root).of(7) == []
        store_of(root).remove_trial(7)


class TestFolders(CheckpointContract):
    """On storage that all nodes share."""

    ending = ""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        return tmp_path / "checkpoints"

    def damage(self, root: Path, name: str, how: str) -> None:
        if how == "gone":
            shutil.rmtree(root / "7" / name)
        elif how in ("lacking", "without sums"):
            (root / "7" / name / ("epoch" if how == "lacking" else SUMS_FILE)).unlink()
        else:
            state = root / "7" / name / "epoch"
            state.write_bytes(DAMAGE[how](state.read_bytes()))

    def test_a_checkpoint_that_was_emptied_is_none(self, root: Path) -> None:
        self.trained(root, 2)
        self.damage(root, "a1-e2", "lacking")
        self.damage(root, "a1-e2", "without sums")
        self.attempt(root, attempt=2, after_epoch=2)
        assert self.continued_from == 1

    def test_a_copy_that_was_cut_off_is_none(self, root: Path) -> None:
        self.trained(root, 2)
        shutil.copytree(root / "7/a1-e2", root / "7/.a1-e3.tmp")
        self.attempt(root, attempt=2, after_epoch=3)
        assert self.continued_from == 2

    def test_a_storage_that_refuses(self, root: Path) -> None:
        first = self.trained(root, 1)
        (root / "7/a1-e2").write_text("in the way")
        with pytest.raises(StorageError, match="a checkpoint cannot be written: "):
            first.keep(2)
        assert not (root / "7/.a1-e2.tmp").exists()


class TestObjects(CheckpointContract):
    """On object storage; each process has a working copy of its own."""

    ending = ".tar"

    @pytest.fixture
    def place(self, s3: S3Server, tmp_path: Path) -> str:
        return s3.address(tmp_path.name)

    @pytest.fixture
    def root(self, place: str) -> Path:
        return attach(place) / "checkpoints"

    def damage(self, root: Path, name: str, how: str) -> None:
        found = origin(root)
        assert found is not None
        objects, archive = found[0], f"checkpoints/7/{name}.tar"
        data = objects.get(archive)
        assert data is not None
        if how == "gone":
            objects.delete([archive])
        elif how in DAMAGE:
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                member = tar.getmember("epoch")
            at = member.offset_data
            flipped = data[:at] + DAMAGE["flipped"](data[at:])  # a tar file has sums of its headers alone
            # One that ends where a file would begin is a whole one, to whoever reads it.
            objects.put(archive, flipped if how == "flipped" else data[: member.offset])
        else:
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                files = {member: tar.extractfile(member) for member in tar.getmembers()}
                kept = {member: file.read() for member, file in files.items() if file is not None}
            left_out = "epoch" if how == "lacking" else SUMS_FILE
            objects.put(archive, _archive(*(pair for pair in kept.items() if pair[0].name != left_out)))

    def test_another_machine_goes_on(self, root: Path) -> None:
        self.trained(root, 3)
        shutil.rmtree(root.parent)  # nothing of the first machine is left
        work = self.attempt(root, attempt=2, after_epoch=3).work
        assert self.continued_from == 3 and (work / "epoch").read_text() == "3"
        assert [path.name for path in work.parent.iterdir()] == [work.name], "the archive itself does not stay"

    def test_a_checkpoint_larger_than_a_part_of_an_upload(self, root: Path) -> None:
        first = self.attempt(root)
        (first.work / "state").write_bytes(os.urandom(9_000_000))
        first.keep(1)
        work = self.attempt(root, attempt=2, after_epoch=1).work
        assert (work / "state").read_bytes() == (first.work / "state").read_bytes()

    def test_a_storage_that_refuses(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        # As good as a bucket that was deleted.
        monkeypatch.setitem(WORKING_COPIES, root.parent, "s3://no-such-bucket/results")
        checkpoints = TrialCheckpoints(root, 7, 1)
        checkpoints.work.mkdir(parents=True)
        (checkpoints.work / "state").touch()
        with pytest.raises(StorageError, match=r"s3://no-such-bucket/.*/a1-e2\.tar fails: there is no such bucket"):
            checkpoints.keep(2)
        assert [path.name for path in checkpoints.work.parent.iterdir()] == [checkpoints.work.name]

    @pytest.mark.parametrize("odd", ["absolute", "above", "link", "hard link", "device", "sparse", "text", "cut"])
    def test_an_archive_that_is_odd_is_refused(self, root: Path, tmp_path: Path, odd: str) -> None:
        found = origin(root)
        assert found is not None
        outside = tmp_path / "outside"
        found[0].put("checkpoints/7/a1-e1.tar", ODD[odd](outside))
        with pytest.raises(ResultsDamagedError, match=r"s3://.*/7/a1-e1\.tar is not what was written"):
            store_of(root).read(7, Checkpoint(1, 1), root.parent / "work")
        assert not outside.exists()


#: What may become of the bytes of a file.
DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda data: data[:-1],
    "flipped": lambda data: bytes([data[0] ^ 1]) + data[1:],
}


def _archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for member, data in members:
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return file.getvalue()


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


def _sparse(_: Path) -> bytes:
    """A file of a few bytes that says that it has 2^40 of them."""
    member = _member("state")
    member.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(2**40), "GNU.sparse.name": "state"}
    return _archive((member, b"x"))


ODD: dict[str, Callable[[Path], bytes]] = {
    "absolute": lambda outside: _archive((_member(str(outside)), b"x")),
    "above": lambda outside: _archive((_member(f"../../../../../../../../../..{outside}"), b"x")),
    "link": lambda outside: _archive((_member("to", tarfile.SYMTYPE, str(outside.parent)), b"")),
    "hard link": lambda outside: _archive((_member("to", tarfile.LNKTYPE, "../../../../etc/passwd"), b"")),
    "device": lambda outside: _archive((_member("null", tarfile.CHRTYPE), b"")),
    "sparse": _sparse,
    "text": lambda outside: b"this is no archive",
    "cut": lambda outside: _archive((_member("state"), bytes(100_000)))[:50_000],
}
