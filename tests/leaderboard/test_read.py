"""Reading leaderboards: fresh, behind their log, damaged, several at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import tuner
from tests.leaderboard.logs import INFO, NOON, demo, trial, write_search
from tuner.facts.errors import ResultsDamagedError, StorageError, UsageError
from tuner.facts.records import LEADERBOARD_COLUMNS, Goal, State
from tuner.journal.events import Open
from tuner.journal.history import History
from tuner.journal.log import open_log
from tuner.leaderboard.info import SearchInfo
from tuner.leaderboard.read import find_search, load_search, read_leaderboard
from tuner.leaderboard.source import epochs_of
from tuner.leaderboard.write import write_results
from tuner.space.domains import Constant, Integer, Listed, Real
from tuner.space.parameters import Alternative, Parameter
from tuner.space.space import Space


def test_the_public_function_reads_folder_search_and_file_alike(tmp_path: Path) -> None:
    folder = write_search(tmp_path / "demo", demo())
    frames = [tuner.read_leaderboard(path) for path in (tmp_path, str(folder), folder / "leaderboard.parquet")]
    for frame in frames[1:]:
        pd.testing.assert_frame_equal(frames[0], frame)


def test_searches_are_united_and_nothing_is_dropped(tmp_path: Path) -> None:
    write_search(tmp_path / "a", demo())
    info = SearchInfo("b", "cost", Goal.MINIMIZE, {"lr": "string", "batch_size": "float64", "units": "Int64"})
    events = [Open(at=NOON, slots=1, trials=1), *trial(0, [1.0], lr="auto", batch_size=0.5, units=3)]
    write_search(tmp_path / "b", events, info)
    (tmp_path / "unrelated").mkdir()
    frame = read_leaderboard(tmp_path)
    assert len(frame) == 8
    assert list(frame.columns)[: len(LEADERBOARD_COLUMNS)] == [column.name for column in LEADERBOARD_COLUMNS]
    assert set(frame["search"]) == {"demo", "b"}
    assert frame["lr"].tolist()[-1] == '"auto"'
    assert frame["lr"].tolist()[0] == "0.01"
    assert str(frame["batch_size"].dtype) == "float64"
    assert str(frame["units"].dtype) == "Int64"
    assert frame["units"].isna().sum() == 7
    assert frame["metric_cost"].notna().sum() == 1
    assert str(frame["rank"].dtype) == "Int64"


def test_a_search_without_trials_leaves_the_types_of_the_others_alone(tmp_path: Path) -> None:
    write_search(tmp_path / "a", [Open(at=NOON, slots=1, trials=1)])
    write_search(tmp_path / "b", demo())
    frame = read_leaderboard(tmp_path)
    assert len(frame) == 7
    assert str(frame["flip"].dtype) == "boolean"


def test_after_a_kill_the_log_is_told_and_the_file_left_alone(tmp_path: Path) -> None:
    folder = write_search(tmp_path / "demo", demo()[:10], live=True, close=False)
    with open_log(folder) as log:
        log.append(*demo()[10:])
    (folder / "checkpoints" / "0" / "epoch-3").mkdir(parents=True)
    before = (folder / "leaderboard.parquet").read_bytes()
    info, frame = load_search(folder)
    assert info == INFO
    assert len(frame) == 7
    assert list(frame["state"])[-1] == State.INTERRUPTED
    assert frame.set_index("number").loc[0, "checkpoint"] == "checkpoints/0/epoch-3"
    assert epochs_of(folder).read().num_rows == 9
    assert (folder / "leaderboard.parquet").read_bytes() == before


def test_a_search_killed_before_its_first_leaderboard_can_be_read(tmp_path: Path) -> None:
    folder = write_search(tmp_path / "demo", demo())
    (folder / "leaderboard.parquet").unlink()
    (folder / "epochs.parquet").unlink()
    assert len(read_leaderboard(tmp_path)) == 7


def test_while_a_driver_holds_the_folder_its_file_is_read(tmp_path: Path) -> None:
    folder = write_search(tmp_path / "demo", demo(), live=True)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, pathlib; from tuner.journal.log import open_log\n"
            "log = open_log(pathlib.Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()",
            str(folder),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    assert "running" in set(load_search(folder)[1]["state"])
    holder.kill()
    holder.communicate()
    assert "running" not in set(load_search(folder)[1]["state"])


def test_published_results_have_no_log_and_nobody_runs_in_them(tmp_path: Path) -> None:
    folder = write_search(tmp_path / "demo", demo(), live=True)
    (folder / "events.jsonl").unlink()
    assert "interrupted" in set(load_search(folder)[1]["state"])


def test_flipped_bytes_in_pages_are_found_and_the_file_named(tmp_path: Path) -> None:
    folder = write_search(tmp_path / "demo", demo())
    path = folder / "leaderboard.parquet"
    good = path.read_bytes()
    expected = read_leaderboard(path)
    footer = len(good) - 8 - int.from_bytes(good[-8:-4], "little")
    for offset in range(4, footer, max(1, footer // 150)):
        path.write_bytes(good[:offset] + bytes([good[offset] ^ 0x10]) + good[offset + 1 :])
        try:
            pd.testing.assert_frame_equal(read_leaderboard(path), expected)  # a header's statistics, not its data
        except ResultsDamagedError as error:
            assert "leaderboard.parquet is damaged" in str(error)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no Parquet at all" * 100])
def test_a_file_that_is_no_leaderboard_is_damage(tmp_path: Path, content: bytes) -> None:
    folder = write_search(tmp_path / "demo", demo())
    whole = read_leaderboard(tmp_path)
    (folder / "leaderboard.parquet").write_bytes(content)
    again = read_leaderboard(tmp_path)  # made again from the log; which checkpoints are there, the disk says
    pd.testing.assert_frame_equal(again.drop(columns="checkpoint"), whole.drop(columns="checkpoint"))
    (folder / "events.jsonl").unlink()
    with pytest.raises(ResultsDamagedError, match=r"leaderboard\.parquet"):
        read_leaderboard(tmp_path)


def test_somebody_elses_parquet_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(path)
    with pytest.raises(ResultsDamagedError, match=r"other\.parquet"):
        read_leaderboard(path)


def test_finding_a_search(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no search in"):
        find_search(tmp_path / "results", None)
    demo_folder = write_search(tmp_path / "results" / "demo", demo())
    assert find_search(tmp_path / "results", None) == demo_folder
    assert find_search(demo_folder, None) == demo_folder
    write_search(tmp_path / "results" / "other", demo())
    with pytest.raises(UsageError, match="demo, other"):
        find_search(tmp_path / "results", None)
    with pytest.raises(UsageError, match="did you mean 'demo'"):
        find_search(tmp_path / "results", "dmeo")
    assert find_search(tmp_path / "results", "demo") == demo_folder


@pytest.mark.parametrize("name", ["../demo", "a/b", "..", ".", "", "a\\b", "/etc"])
def test_a_name_cannot_leave_the_results_folder(tmp_path: Path, name: str) -> None:
    write_search(tmp_path / "demo", demo())
    with pytest.raises(UsageError, match="no name of a search"):
        find_search(tmp_path, name)


def test_a_full_disk_is_one_sentence_and_leaves_the_old_files(tmp_path: Path) -> None:
    folder = write_search(tmp_path / "demo", demo())
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    script = (
        "import resource, signal, sys, pathlib\n"
        "from tests.leaderboard.logs import INFO, demo\n"
        "from tuner.facts.errors import StorageError\n"
        "from tuner.journal.history import History\n"
        "from tuner.leaderboard.write import write_results\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    write_results(pathlib.Path(sys.argv[1]), History(demo()), INFO, live=True, kept={})\n"
        "except StorageError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=True)
    assert "cannot be written: File too large" in done.stdout
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_folder_that_is_gone_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written"):
        write_results(tmp_path / "gone", History(demo()), INFO, live=True, kept={})


def test_the_description_survives_json() -> None:
    assert SearchInfo.from_json(json.loads(json.dumps({**INFO.to_json(), "version": 1, "settings": {}}))) == INFO
    with pytest.raises(ResultsDamagedError):
        SearchInfo.from_json({"search": "x"})


def test_each_domain_gets_the_column_that_holds_all_its_values() -> None:
    domains = {
        "real": [Real(0.1, 1.0)],
        "integer": [Integer(1, 3)],
        "both": [Integer(1, 3), Real(0.1, 1.0)],
        "text": [Listed(("a", "b")), Constant("c")],
        "flag": [Listed((True, False))],
        "numbers": [Listed((1, 0.5))],
        "optional": [Listed((None, 1.0))],
        "mixed": [Listed((1, "auto"))],
        "flag_or_number": [Listed((True, 2))],
        "list": [Constant([1, 2])],
        "nothing": [Constant(None)],
        "wide": [Constant(2**64)],
    }
    parameters = {
        name: Parameter(name, tuple(Alternative(domain, {}) for domain in domains)) for name, domains in domains.items()
    }
    info = SearchInfo.of("x", "val_accuracy", Goal.MAXIMIZE, Space(parameters))
    assert info.hyperparameters == {
        "real": "float64",
        "integer": "Int64",
        "both": "float64",
        "text": "string",
        "flag": "boolean",
        "numbers": "float64",
        "optional": "float64",
        "mixed": "json",
        "flag_or_number": "json",
        "list": "json",
        "nothing": "string",
        "wide": "json",
    }
