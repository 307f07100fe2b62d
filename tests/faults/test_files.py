"""Files of a results folder that are not what was written, or lie elsewhere: what is refused, and how one goes on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.faults.audit import TRIALS, audit
from tuner.cli.main import main
from tuner.journal.events import Close, encode
from tuner.journal.log import read_events


@pytest.fixture
def place(searched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished search of twelve trials; the current folder is where it was started."""
    place = Path(shutil.copytree(searched, tmp_path / "place"))
    monkeypatch.chdir(place)
    return place


def unfinished(place: Path) -> Path:
    """Make a search one whose driver was killed; returns its log."""
    log = place / "results/s/events.jsonl"
    log.write_bytes(b"".join(encode(event) for event in read_events(log.parent) if not isinstance(event, Close)))
    return log


def files(place: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (place / "results/s").iterdir() if path.name != ".lock"}


def flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7])
def test_a_damaged_log_is_refused_and_nothing_is_changed(
    place: Path, share: float, capsys: pytest.CaptureFixture[str]
) -> None:
    log = unfinished(place)
    flip(log, int(share * log.stat().st_size))
    before = files(place)
    assert main(["search", "space.yaml", "--resume"]) == 5
    out, err = capsys.readouterr()
    assert out == "" and "results/s/events.jsonl: line" in err and "is damaged: " in err
    assert main(["search", "space.yaml"]) == 5
    assert files(place) == before


def test_a_parquet_file_that_was_cut_short_is_read_from_the_log(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["leaderboard", "s", "--top", "0", "--json"]) == 0
    whole = capsys.readouterr().out
    for name in ("leaderboard", "epochs"):
        path = place / f"results/s/{name}.parquet"
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert main(["leaderboard", "s", "--top", "0", "--json"]) == 0
    assert capsys.readouterr().out == whole


def test_a_flipped_bit_in_a_parquet_file_is_named_and_the_log_still_has_it_all(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["leaderboard", "s", "--top", "0", "--json"]) == 0
    whole = capsys.readouterr().out
    path = place / "results/s/leaderboard.parquet"
    flip(path, 100)
    assert main(["leaderboard", "s", "--top", "0", "--json"]) == 5
    assert "results/s/leaderboard.parquet is damaged" in capsys.readouterr().err
    path.unlink()
    assert main(["leaderboard", "s", "--top", "0", "--json"]) == 0
    assert capsys.readouterr().out == whole


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (lambda record: record["settings"]["search"].update(seed=4), 2, "other settings: search.seed (4, now 3)"),
        (lambda record: record.update(version=2), 5, "search.json is damaged"),
        (lambda record: record.pop("versions"), 5, "search.json is damaged"),
    ],
)
def test_settings_that_somebody_changed_are_not_resumed(
    place: Path, change: object, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    unfinished(place)
    path = place / "results/s/search.json"
    record = json.loads(path.read_text())
    assert callable(change)
    change(record)
    path.write_text(json.dumps(record))
    before = files(place)
    assert main(["search", "space.yaml", "--resume"]) == code
    assert said in capsys.readouterr().err
    assert files(place) == before


def test_a_copied_folder_is_read_under_its_new_name_and_goes_on_under_its_old_one(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(place / "results/s", place / "results/copy")
    assert main(["leaderboard", "copy", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["search"] == "s"
    assert main(["search", "space.yaml", "--name", "copy", "--resume"]) == 2
    assert 'other settings: name ("s", now "copy")' in capsys.readouterr().err
    assert audit(place, TRIALS, results=place / "results/copy").findings == ()
    (place / "elsewhere").mkdir()
    (place / "results/copy").rename(place / "elsewhere/s")
    assert main(["search", "space.yaml", "--results", "elsewhere", "--resume"]) == 0
    assert "elsewhere/s is finished" in capsys.readouterr().err
