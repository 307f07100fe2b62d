"""A results folder that came from somebody else, with links, pipes or devices where files should lie.

It makes nobody write elsewhere, and nobody wait for ever.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.leaderboard.logs import demo, write_search
from tuner.cli.main import main
from tuner.facts.errors import ExitCode, ResultsDamagedError, TunerError
from tuner.journal.lock import FolderLock, is_held
from tuner.journal.log import open_log
from tuner.study.model_folder import ModelFolder


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Return a folder of the user's own, with a file in it."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "file").write_text("precious\n")
    return folder


@pytest.fixture
def search(tmp_path: Path) -> Path:
    return write_search(tmp_path / "results" / "demo", demo())


def untouched(mine: Path) -> bool:
    files = [item for item in mine.rglob("*") if not item.is_dir()]
    return files == [mine / "file"] and files[0].read_text() == "precious\n"


@pytest.mark.parametrize("name", [".lock", "events.jsonl", "logs/7.log", "checkpoints/3/a1-e1/weights"])
def test_a_link_to_a_file_elsewhere_is_refused(search: Path, mine: Path, name: str) -> None:
    link = search / name
    link.unlink(missing_ok=True)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(mine / "file")
    with pytest.raises(ResultsDamagedError, match="a link that leads out") as caught:
        open_log(search)
    assert name in str(caught.value) and caught.value.code == ExitCode.RESULTS
    assert untouched(mine)


@pytest.mark.parametrize("name", ["checkpoints", "checkpoints/7", "logs", "requests", "confirm", "models"])
@pytest.mark.parametrize("below", ["", "confirm", "models/.7"])
def test_a_link_to_a_folder_elsewhere_is_refused_by_every_writer(
    search: Path, mine: Path, name: str, below: str
) -> None:
    (search / name).parent.mkdir(exist_ok=True)
    (search / name).symlink_to(mine)
    with pytest.raises(TunerError):
        if below.startswith("models"):
            with ModelFolder(search / "models" / "7").writer():
                pass
        else:
            (search / below).mkdir(exist_ok=True)
            FolderLock(search / below).acquire()
    assert untouched(mine)


def test_links_within_a_folder_stay_and_the_folder_may_be_one(search: Path, tmp_path: Path) -> None:
    inside = search / "checkpoints" / "6" / "a1-e1"
    inside.mkdir(parents=True)
    (inside / "old").write_text("1")
    (inside / "new").symlink_to("old")
    (tmp_path / "elsewhere").symlink_to(search)
    open_log(tmp_path / "elsewhere").__exit__(None, None, None)


def replace_by(path: Path, special: str) -> None:
    path.unlink(missing_ok=True)
    if special == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("special", ["pipe", "device"])
@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("events.jsonl", "leaderboard demo"),
        ("events.jsonl", "status demo"),
        ("events.jsonl", "show 6 --name demo"),
        ("events.jsonl", "logs demo"),
        ("search.json", "status demo"),
        ("search.json", "logs demo"),
        ("search.json", "show 6 --name demo --search-file"),
        ("logs/6.log", "logs demo 6"),
    ],
)
def test_nobody_who_reads_waits_for_a_pipe_or_reads_a_device(
    search: Path, capsys: pytest.CaptureFixture[str], special: str, name: str, command: str
) -> None:
    (search / "logs").mkdir()
    record = json.loads((search / "search.json").read_bytes())
    (search / "search.json").write_text(json.dumps({**record, "settings": {"search": {}}}))
    replace_by(search / name, special)
    code = main([*command.split(), "--results", str(search.parent)])
    err = capsys.readouterr().err
    assert code == ExitCode.RESULTS and name in err and err.endswith(("regular file\n", "the settings\n"))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("special", ["pipe", "device"])
def test_a_leaderboard_that_is_no_file_is_made_again_from_the_log_or_refused(search: Path, special: str) -> None:
    replace_by(search / "leaderboard.parquet", special)
    command = ["leaderboard", "demo", "--results", str(search.parent)]
    assert main(command) == ExitCode.OK
    (search / "events.jsonl").unlink()
    assert main(command) == ExitCode.RESULTS


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", [".lock", "events.jsonl", "logs/6.log", ".search.json.tmp"])
def test_nobody_who_writes_waits_for_a_pipe(search: Path, name: str) -> None:
    (search / "logs").mkdir()
    replace_by(search / name, "pipe")
    assert not is_held(search)
    with pytest.raises(ResultsDamagedError, match=f"{name} is no regular file") as caught:
        open_log(search)
    assert caught.value.code == ExitCode.RESULTS
