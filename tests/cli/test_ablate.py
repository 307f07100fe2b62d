"""``tuner ablate`` as people call it, under a real Ray."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent

import pytest

from tests.cli.test_confirm import SPACE, tuner
from tuner.cli.comparison_table import spread

REGULARIZED = SPACE + "      dropout: 0.3\n      label_smoothing: 0.1\n"


@pytest.mark.slow
def test_a_trial_without_its_regularizers(tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(dedent(REGULARIZED))
    searched = tuner(tmp_path, "search", "space.yaml", "--trials", "1")
    assert searched.returncode == 0, searched.stderr
    done = tuner(tmp_path, "ablate", "--trial", "0", "--seeds", "2")
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "results/s/ablate-0.json").read_text())
    rows = [record["full"], *record["ablations"]]
    assert [row["name"] for row in rows] == ["full", "without dropout", "without label_smoothing", "all off"]
    for row in rows:
        assert spread(row["score"]) in done.stdout
        assert [run["metrics"]["epoch"] for run in row["runs"]] != []
    assert all(row["sentence"] in done.stdout for row in record["ablations"])
    again = tuner(tmp_path, "ablate", "s", "--trial", "0", "--seeds", "2", "--json")
    assert json.loads(again.stdout) == record and "Ray" not in again.stderr
