"""A checkpoint that lies on object storage as one file is taken out into its folder and nowhere else."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from tuner.study.archive import unpack


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, target, mode
    return info


@pytest.mark.parametrize(
    "members",
    [
        [member("../escaped")],
        [member("a/../../escaped")],
        [member("/escaped")],
        [member("link", tarfile.SYMTYPE, "../mine")],
        [member("link", tarfile.SYMTYPE, "/etc/passwd")],
        [member("link", tarfile.SYMTYPE, ".."), member("link/escaped")],
        [member("link", tarfile.LNKTYPE, "../mine")],
        [member("pipe", tarfile.FIFOTYPE)],
        [member("device", tarfile.CHRTYPE)],
    ],
    ids=lambda members: members[-1].name + members[0].linkname,
)
def test_what_leaves_the_folder_is_refused(members: list[tarfile.TarInfo], tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious\n")
    folder = tmp_path / "folder"
    folder.mkdir()
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for info in members:
            archive.addfile(info, io.BytesIO())
    with pytest.raises(ValueError):
        unpack(tmp_path / "a.tar", folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar", "folder", "mine"]
    assert not any(path.is_symlink() or not (path.is_file() or path.is_dir()) for path in folder.rglob("*"))
    assert (tmp_path / "mine").read_text() == "precious\n"


def test_no_file_comes_out_that_others_run_or_that_changes_who_runs_it(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.addfile(member("tool", mode=0o6777), io.BytesIO())
    unpack(tmp_path / "a.tar", tmp_path / "folder")
    assert (tmp_path / "folder" / "tool").stat().st_mode & 0o6022 == 0


@pytest.mark.parametrize("content", [b"", b"not a tar", b"\x1f\x8b\x08\x00", b"\0" * 5000])
def test_what_is_no_tar_is_a_value_error_or_empty(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.tar").write_bytes(content)
    try:
        unpack(tmp_path / "a.tar", tmp_path / "folder")
    except ValueError as error:
        assert str(error)
    assert list((tmp_path / "folder").iterdir()) == []
