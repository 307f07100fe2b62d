"""A search that is resumed with other versions of its parts: it goes on, says so, and writes down since when."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import pytest

from tests.faults.audit import audit, prepare
from tests.study.searches import SearchProcess, history, search
from tuner.facts.provenance import versions

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # also on a machine that does much else

EARLIER = {"python": "3.9.1", "ray": "2.54.0", "optuna": "4.5.0"}


def described(place: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((place / "results/s/search.json").read_text())
    return record


def test_other_versions_than_a_search_began_with(tmp_path: Path) -> None:
    prepare(tmp_path)
    running = SearchProcess(tmp_path, "--trials", "4", epoch_seconds=0.5)
    running.until_epochs(2)
    running.kill()
    began = described(tmp_path)
    began["versions"] |= EARLIER
    (tmp_path / "results/s/search.json").write_text(json.dumps(began))
    proposed = len(history(tmp_path).trials)

    code, _, err = search(tmp_path, "--trials", "4", "--resume")
    assert code == 0, err
    changes = [f"{name} {before} is now {versions()[name]}" for name, before in EARLIER.items()]
    (warning,) = [line for line in err.splitlines() if "versions changed" in line]
    assert warning == f"warning: versions changed since this search began: {', '.join(changes)}"
    assert versions()["python"] == platform.python_version()
    assert audit(tmp_path, 4).findings == ()

    record = described(tmp_path)
    (resumed,) = record.pop("resumed_with")
    assert record == began, "what it began with stays as it was"
    assert (resumed["trials"], resumed["versions"]) == (proposed, versions())

    code, _, err = search(tmp_path, "--trials", "5", "--resume")
    assert code == 0 and "versions changed since this search began" in err
    assert described(tmp_path)["resumed_with"] == [resumed], "the same versions again are nothing new"
