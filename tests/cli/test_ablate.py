"""``tuner ablate`` as people call it, under a real Ray."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_confirm import SPACE, tuner
from tests.study.comparisons import finished_search
from tuner.cli.comparison_table import spread

REGULARIZED = SPACE + "      dropout: 0.3\n      label_smoothing: 0.1\n"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_trial_without_its_regularizers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))
    config = {"model": "cnn", "width": 8, "epochs": 2, "lr": 0.02, "dropout": 0.3, "label_smoothing": 0.1}
    finished_search(tmp_path, REGULARIZED, [config], [0.8])
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
