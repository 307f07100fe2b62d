"""The shipped search files are good, and run: at a tiny size here, as they are in results/published."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tuner.hyperparameters.table import TRAINABLES
from tuner.space.read import read_search_file

FILES = sorted(Path("search_spaces").glob("*.yaml"))

TINY = [
    *("--set", "dataset=synthetic", "--set", "validation=100", "--set", "train_images=200"),
    *("--set", "parameters.epochs=1", "--set", "scheduler.type=none", "--trials", "2", "--gpus-per-trial", "0"),
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_is_good_and_warns_of_nothing(path: Path) -> None:
    file = read_search_file(path, trainables=TRAINABLES)
    assert file.warnings == ()
    assert file.name == path.stem


def run(path: Path, results: Path, *arguments: str) -> pd.DataFrame:
    """Run a search file and return its leaderboard."""
    done = subprocess.run(
        [sys.executable, "-m", "tuner", "search", str(path), "--results", str(results), *arguments],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return pd.read_parquet(results / path.stem / "leaderboard.parquet")


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_runs_at_a_tiny_size(path: Path, tmp_path: Path) -> None:
    board = run(path, tmp_path, *TINY)
    assert list(board["state"]) == ["completed", "completed"]


def test_the_quickstart_trains_models_that_are_good(tmp_path: Path) -> None:
    board = run(Path("search_spaces/quickstart.yaml"), tmp_path, "--trials", "6")
    assert board["val_accuracy"].max() > 0.9
    assert (board["train_seconds"] > 0).all() and set(board["state"]) <= {"completed", "stopped"}
