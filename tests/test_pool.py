"""The replay pool: its maker goes on where it was interrupted, and draws the same configurations each time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append("benchmarks/pool")  # a script, no package

from make import POOL, SEEDS, configuration, missing, read_file, read_runs


def searched(number: int) -> dict[str, Any]:
    space = read_file().space
    config = configuration(space, number)
    return {name: config[name] for name in space.searched}


def test_a_part_of_the_pool_is_a_pool() -> None:
    assert [key for key, _ in zip(missing([], 400), range(4), strict=False)] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    done = [{"configuration": 0, "seed": seed} for seed in SEEDS]
    assert list(missing(done, 2)) == [(1, 0), (1, 1)]


def test_configurations_are_random_and_always_the_same() -> None:
    drawn = [searched(number) for number in range(50)]
    assert drawn == [searched(number) for number in range(50)]
    assert len({config["lr"] for config in drawn}) == 50
    assert {config["mixup_alpha"] for config in drawn} == {0.0, 0.1, 0.2, 0.4, 1.0}


def test_the_published_pool_holds_whole_curves_of_its_configurations() -> None:
    runs = read_runs(POOL)
    assert len(runs) == 800 and POOL.stat().st_size < 5_000_000
    assert {run["seed"] for run in runs} == set(SEEDS)
    for run in runs:
        config = searched(run["configuration"])
        assert {name: run[name] for name in config} == config
        assert len(run["val_accuracy"]) == 27 or run["stop_reason"] == "diverged"
    best = [max(run["val_accuracy"]) for run in runs if run["val_accuracy"]]
    assert max(best) > 0.55, "real training"


@pytest.mark.slow
def test_an_interrupted_maker_goes_on(tmp_path: Path) -> None:
    pool = tmp_path / "pool.parquet"
    sizes = ["parameters.epochs=2", "scheduler.grace_period=1", "train_images=200", "validation=100"]
    command = [sys.executable, "benchmarks/pool/make.py", "--dataset", "synthetic", "--pool", str(pool)]
    command += [part for size in sizes for part in ("--set", size)]
    subprocess.run([*command, "--configurations", "1"], check=True, timeout=200, capture_output=True)
    before = read_runs(pool)
    subprocess.run([*command, "--configurations", "2"], check=True, timeout=200, capture_output=True)
    after = read_runs(pool)
    assert [(run["configuration"], run["seed"]) for run in after] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert after[:2] == before and all(len(run["val_accuracy"]) == 2 for run in after)
    assert after[0]["val_accuracy"] != after[1]["val_accuracy"], "seeds differ"
