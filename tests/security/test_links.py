"""A results folder that came from somebody else, with links where files should lie, makes nobody write elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.leaderboard.logs import demo, write_search
from tuner.facts.errors import ExitCode, ResultsDamagedError, TunerError
from tuner.journal.lock import FolderLock
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
