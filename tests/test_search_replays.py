"""Replays beside the real thing: stock Ray Tune does what a real ``tune.Tuner`` does, and processes change nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

sys.path.append("benchmarks")  # scripts, no package: they import their neighbours by name

from regimes import Formula
from replay.cells import read
from replay.clock import Counts, replay
from replay.peers import Stock, _distributions
from search_quality import main

pytestmark = pytest.mark.slow

TRIALS, SEED = 14, 3


class Still(Formula):
    """A regime whose runs have no noise, so that the seeds of trials do not matter."""

    def noise(self, mean: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        del generator
        return np.zeros(len(mean))


def train(config: dict[str, Any]) -> None:
    sys.path.append(config["benchmarks"])
    from regimes import Formula

    world = Formula("plain")
    for value in world.known(config)[0]:
        tune.report({"val_accuracy": float(value)})


def test_stock_as_replayed_is_stock_as_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_CHDIR_TO_TRIAL_DIR", "0")
    world = Still("plain")
    ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        tuner = tune.Tuner(
            train,
            param_space={"benchmarks": str(Path("benchmarks").absolute())},
            tune_config=tune.TuneConfig(
                search_alg=OptunaSearch(_distributions(world), metric="val_accuracy", mode="max", seed=SEED),
                scheduler=ASHAScheduler(metric="val_accuracy", mode="max", max_t=world.epochs),
                num_samples=TRIALS,
                max_concurrent_trials=1,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(storage_path=str(tmp_path), verbose=0),
        )
        results = tuner.fit()
        best = results.get_best_result("val_accuracy", "max").config
    finally:
        ray.shutdown()
    names = [axis.name for axis in world.axes]
    real = [([item.config[name] for name in names], item.metrics["training_iteration"]) for item in results]

    stock = Stock(world, SEED)
    told: dict[int, int] = {}
    tell = stock.tell

    def noted(number: int, epoch: int, value: float | None) -> bool:
        told[number] = epoch
        return tell(number, epoch, value)

    monkeypatch.setattr(stock, "tell", noted)
    budget = sum(epochs for _, epochs in real)
    *_, last = replay(stock, world, workers=1, budget=budget, counts=Counts())
    replayed = [([config[name] for name in names], told[number]) for number, config in enumerate(stock._configs)]
    assert replayed[:TRIALS] == real
    assert last.incumbent is not None
    assert [last.incumbent[name] for name in names] == [best[name] for name in names]


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
