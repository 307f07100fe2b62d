"""Readers of results on object storage see what readers of a folder see."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import tuner
from tests.leaderboard.logs import demo, write_search
from tests.storage.server import BUCKET, S3Server, s3
from tuner.cli.main import main
from tuner.facts.errors import UsageError
from tuner.facts.records import State
from tuner.journal.events import Event
from tuner.journal.log import open_log
from tuner.leaderboard.read import find_search, load_search
from tuner.leaderboard.source import epochs_of
from tuner.storage.copies import push, results_folder
from tuner.storage.objects import Objects

__all__ = ["s3"]


def store(address: str, name: str = "demo", events: Sequence[Event] | None = None, **how: Any) -> None:
    """Write a search as a driver does that works with a copy."""
    with results_folder(address) as results:
        write_search(results / name, demo() if events is None else events, **how)
        push(results / name / "search.json")


def test_the_stored_leaderboard_is_the_local_one(s3: S3Server, tmp_path: Path) -> None:
    address = s3.address("same")
    store(address)
    local = pd.read_parquet(write_search(tmp_path / "demo", demo()) / "leaderboard.parquet")
    stored = s3.client().get_object(Bucket=BUCKET, Key="same/demo/leaderboard.parquet")["Body"].read()
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(stored)), local)
    pd.testing.assert_frame_equal(tuner.read_leaderboard(address), local)
    pd.testing.assert_frame_equal(tuner.read_leaderboard(f"{address}/demo"), local)


def test_after_a_kill_the_log_is_told_and_nothing_is_changed(s3: S3Server) -> None:
    address = s3.address("killed")
    store(address, events=demo()[:10], live=True, close=False)
    with results_folder(address, "demo") as results:
        with open_log(results / "demo") as log:
            log.append(*demo()[10:])
            assert list(load_search(results / "demo")[1]["state"])[-1] == State.RUNNING
        Objects.at(address).put("demo/checkpoints/0/epoch-3", b"")
        before = stored_objects(address)
    with results_folder(address) as results:
        folder = find_search(results, None)
        _, frame = load_search(folder)
        assert len(frame) == 7 and list(frame["state"])[-1] == State.INTERRUPTED
        assert frame.set_index("number").loc[0, "checkpoint"] == "checkpoints/0/epoch-3"
        assert epochs_of(folder).read().num_rows == 9
    assert stored_objects(address) == before


def test_several_searches_are_united_and_told_apart(s3: S3Server) -> None:
    address = s3.address("several")
    for name in ("one", "two"):
        store(address, name)
    Objects.at(address).put("models/x/config.json", b"")
    assert len(tuner.read_leaderboard(address)) == 14
    with results_folder(address) as results:
        with pytest.raises(UsageError, match=r"s3://bucket/several holds one, two"):
            find_search(results, None)
        with pytest.raises(UsageError, match="no search 'twp'; did you mean 'two'"):
            find_search(results, "twp")
        with pytest.raises(UsageError, match="is no name of a search"):
            find_search(results, "../several")
    with pytest.raises(UsageError, match="no search in s3://bucket/nothing"):
        tuner.read_leaderboard(s3.address("nothing"))


def test_commands_read_and_name_the_address(s3: S3Server, capsys: pytest.CaptureFixture[str]) -> None:
    address = s3.address("commands")
    store(address)
    Objects.at(address).put("demo/logs/1.log", b"epoch 1\n")
    assert main(["leaderboard", "--results", address, "--top", "1", "--format", "csv", "--columns", "number"]) == 0
    assert capsys.readouterr().out.split() == ["number", "1"]
    assert main(["show", "1", "--results", address]) == 0
    page = capsys.readouterr().out
    assert f"{address}/demo/logs/1.log" in page and f"--results {address}" in page
    assert main(["leaderboard", "--results", "s3://Bucket"]) == 2
    assert "has no bucket in 'Bucket'" in capsys.readouterr().err


def test_without_boto3_one_sentence_says_how_to_get_it() -> None:
    code = (
        "import sys; sys.modules['boto3'] = None\n"
        "from tuner.cli.main import main\n"
        "sys.exit(main(['leaderboard', '--results', 's3://bucket/searches']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.strip() == "tuner: error: results on object storage need boto3: pip install 'tuner[s3]'"


def stored_objects(address: str) -> list[tuple[str, int, object]]:
    return [(stored.name, stored.size, stored.modified) for stored in Objects.at(address).list()]
