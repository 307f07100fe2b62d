"""Replays in several processes are those of one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append("benchmarks")  # scripts, no package: they import their neighbours by name

from replay.cells import read
from search_quality import main

pytestmark = pytest.mark.slow


def test_two_processes_make_the_same_records_as_one(tmp_path: Path) -> None:
    made = []
    for processes in (1, 2):
        records = tmp_path / f"{processes}.jsonl"
        options = ["--seeds", "2", "--budget", "108", "--workers", "2"]
        options += ["--worlds", "plain", "--methods", "random", "tuner", "--records", str(records)]
        options += ["--processes", str(processes)]
        assert main(options) == 0
        made.append([(record["method"], record["median"], record["target_epochs"]) for record in read(records)])
    assert made[0] == made[1]
    assert [method for method, *_ in made[0]] == ["random", "tuner"]
