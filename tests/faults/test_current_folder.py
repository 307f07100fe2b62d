"""A current folder that is removed under a search, as a cluster does with the folder of a job that it clears."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults.audit import prepare
from tests.study.searches import assert_exactly_once, events_of
from tuner.facts.errors import relative_to_cwd
from tuner.journal.events import Epoch


def test_paths_are_told_whole_where_there_is_no_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    current = tmp_path / "current"
    current.mkdir()
    monkeypatch.chdir(current)
    assert relative_to_cwd(current / "results/s") == "results/s"
    current.rmdir()
    assert relative_to_cwd(current / "results/s") == str(current / "results/s")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_search_whose_current_folder_is_removed_ends_as_any_other(tmp_path: Path) -> None:
    """One trial, whose process runs by then: Ray can start none in a folder that is gone."""
    prepare(tmp_path)
    current = tmp_path / "current"
    current.mkdir()
    words = ["../space.yaml", "--results", "../results", "--trials", "1", "--set", "search.points=[{x: 0.3}]"]
    driver = subprocess.Popen(
        [sys.executable, "-m", "tuner", "search", *words],
        cwd=current,
        env=os.environ | {"EPOCH_SECONDS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 300
    while not any(isinstance(event, Epoch) for event in events_of(tmp_path)):
        assert driver.poll() is None, driver.communicate()[1]
        assert time.monotonic() < deadline, "the search made no progress"
        time.sleep(0.05)
    current.rmdir()
    out, err = driver.communicate(timeout=300)
    assert driver.returncode == 0, err
    assert "completed" in out and "Traceback" not in err
    assert_exactly_once(tmp_path, 1)
