"""docs/reliability.md: each fault has a row, each test that it names is there, its figures are the long run's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.long.table import read, tables

PAGE = Path("docs/reliability.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if re.match(r"\| \*\*", line)]


@pytest.mark.parametrize(
    "fault",
    [
        "kill -9 of a trial",
        "kill -9 of the driver",
        "a worker node dies",
        "the head dies",
        "a hanging trial",
        "out of memory",
        "a full disk",
        "read-only storage",
        "S3 errors and slow answers",
        "a torn last line of the log",
        "a truncated Parquet file",
        "a damaged checkpoint",
        "a corrupt data set",
        "two drivers on one search",
        "a moved or copied results folder",
        "a current folder that is removed",
        "SIGINT, SIGTERM",
        "the same, twice",
        "a clock that jumps",
        "versions that changed",
    ],
)
def test_a_fault_has_a_row_with_a_promise_and_a_test(fault: str) -> None:
    (row,) = [row for row in ROWS if row.startswith(f"| **{fault}**")]
    _, promise, seen, tests = row.strip("| ").split(" | ")
    assert promise and seen and "::" in tests


def test_every_test_that_is_named_is_there() -> None:
    named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", PAGE)
    assert len(named) > 20
    for file, test in named:
        text = (Path("tests") / file).read_text(encoding="utf-8")
        assert f"def {test}(" in text, f"{file} has no {test}"


def test_the_figures_are_those_of_the_long_run() -> None:
    audits = read()
    assert tables(audits) in PAGE
    kills = sum(audit["faults"].get("kill -9 of the driver", 0) for audit in audits)
    assert kills >= 50
    assert all(audit["finished"] == audit["trials"] and audit["findings"] == [] for audit in audits)
