"""Disks that are full, read-only, or fail while a search runs: one sentence, exit 6, and nothing lost."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.faults.audit import TRIALS, audit, prepare
from tests.faults.brake import advance, hold, release
from tests.faults.disks import enlarge, failing_disk, fill, small_disk
from tests.study import searches
from tests.study.searches import SearchProcess, assert_exactly_once, search
from tuner.journal.log import read_events

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # also on a machine that does much else


def assert_one_sentence(err: str, said: str) -> None:
    assert "Traceback" not in err
    assert said in err.splitlines()[-1], err


def test_a_disk_that_is_full_for_checkpoints(tmp_path: Path) -> None:
    """With room again, the search goes on and finishes."""
    trainable = """
        def train(config, checkpoint):
            for epoch in range(1, 10):
                (checkpoint / "state").write_bytes(bytes(1_500_000))
                yield {"acc": config["x"] / epoch}
        """
    searches.prepare(tmp_path, trainable=trainable)
    with small_disk(tmp_path / "results", "4m"):
        code, _, err = search(tmp_path, "--trials", "4")
        assert code == 6
        assert_one_sentence(err, "No space left on device")
        enlarge(tmp_path / "results", "64m")
        code, _, err = search(tmp_path, "--trials", "4", "--resume")
        assert code == 0, err
        assert_exactly_once(tmp_path, 4)


def test_a_disk_that_fills_while_a_search_runs(tmp_path: Path) -> None:
    """Whatever meets it first: the log, a Parquet file, a checkpoint, what a trial prints."""
    prepare(tmp_path)
    results = tmp_path / "results"
    with small_disk(results, "8m"):
        hold(tmp_path)
        running = SearchProcess(tmp_path)
        advance(running, 8)
        before = read_events(results / "s")
        fill(results)
        release(tmp_path)
        code, _, err = running.wait()
        assert code == 6
        assert_one_sentence(err, "No space left on device")
        filler = fill(results)  # what was half written has been removed
        code, _, err = search(tmp_path, "--resume")
        assert code == 6
        assert_one_sentence(err, "No space left on device")
        filler.unlink()
        code, _, err = search(tmp_path, "--resume")
        assert code == 0, err
        assert audit(tmp_path, TRIALS, earlier=before).findings == ()


def test_a_disk_that_fails_while_a_search_runs(tmp_path: Path) -> None:
    """The kernel makes a broken disk read-only: no line of the log that somebody heard of is gone."""
    prepare(tmp_path)
    results = tmp_path / "results"
    with failing_disk(results, tmp_path / "image") as (fail, mend):
        hold(tmp_path)
        running = SearchProcess(tmp_path)
        advance(running, 8)
        before = read_events(results / "s")
        fail()
        release(tmp_path)
        code, _, err = running.wait()
        assert code == 6
        assert_one_sentence(err, "Read-only file system")
        code, out, err = search(tmp_path, "--resume")
        assert code == 6 and out == ""
        assert_one_sentence(err, "results/s cannot be written: Read-only file system")
        mend()
        code, _, err = search(tmp_path, "--resume")
        assert code == 0, err
        assert audit(tmp_path, TRIALS, earlier=before).findings == ()


def test_storage_that_is_read_only_from_the_start(tmp_path: Path) -> None:
    """Refused before a Ray is started."""
    prepare(tmp_path)
    with small_disk(tmp_path / "results", "4m"):
        subprocess.run(["mount", "-o", "remount,ro", str(tmp_path / "results")], check=True)
        code, out, err = search(tmp_path)
    assert code == 6 and out == "" and "starting Ray" not in err
    assert_one_sentence(err, "results/s cannot be made: Read-only file system")
