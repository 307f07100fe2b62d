"""What a trial costs beside its training: 100 trials of a trivial trainable that imports torch, start to exit.

    python benchmarks/overhead.py [--rounds 3] [--trials 100]

Compares ``tuner search`` with stock Ray Tune (``tune.Tuner`` with OptunaSearch and ASHAScheduler) at its default
settings and with ``reuse_actors``. Each side is a process of its own, timed from its start to its exit; rounds are
interleaved and medians compared. Prints one JSON line. Tuner writes its log and its leaderboard all the while.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from common import cpu, versions

SEARCH_FILE = """\
name: overhead
trainable: trivial:train
metric: {{name: acc, goal: maximize}}
search: {{algorithm: tpe, trials: {trials}, seed: 0}}
scheduler: {{type: asha, grace_period: 1, reduction_factor: 4, max_epochs: 9}}
parameters:
  x: {{min: 0.0, max: 1.0}}
"""

TRIVIAL = """\
def train(config):
    import torch

    for epoch in range(1, 10):
        yield {"acc": 1.0 - (config["x"] - 0.3) ** 2 - 1.0 / epoch + float(torch.zeros(()))}
"""

STOCK = """\
import sys

from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch


def train(config):
    import torch

    for epoch in range(1, 10):
        tune.report({"acc": 1.0 - (config["x"] - 0.3) ** 2 - 1.0 / epoch + float(torch.zeros(()))})


settings = dict(metric="acc", mode="max", num_samples=int(sys.argv[1]))
if sys.argv[2] == "reuse":
    settings["reuse_actors"] = True
tune.Tuner(
    train,
    param_space={"x": tune.uniform(0.0, 1.0)},
    tune_config=tune.TuneConfig(search_alg=OptunaSearch(seed=0), scheduler=ASHAScheduler(max_t=9), **settings),
    run_config=tune.RunConfig(storage_path=sys.argv[3]),
).fit()
"""


def timed(command: list[str], folder: Path) -> float:
    """Return the seconds that a process took from start to exit."""
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return time.perf_counter() - began


def run_tuner(trials: int) -> float:
    """Time ``tuner search``."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "trivial.py").write_text(TRIVIAL)
        (folder / "space.yaml").write_text(SEARCH_FILE.format(trials=trials))
        seconds = timed([sys.executable, "-m", "tuner", "search", "space.yaml"], folder)
        log = (folder / "results/overhead/events.jsonl").read_text()
        assert log.count('"type":"end"') == trials and (folder / "results/overhead/leaderboard.parquet").exists()
        return seconds


def run_stock(trials: int, mode: str) -> float:
    """Time stock Ray Tune; ``mode`` is ``default`` or ``reuse``."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "stock.py").write_text(STOCK)
        return timed([sys.executable, "stock.py", str(trials), mode, str(folder / "out")], folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--skip-default", action="store_true", help="leave the slow default settings out")
    args = parser.parse_args()
    sides: dict[str, Callable[[], float]] = {
        "tuner": lambda: run_tuner(args.trials),
        "stock_reuse": lambda: run_stock(args.trials, "reuse"),
    }
    if not args.skip_default:
        sides["stock_default"] = lambda: run_stock(args.trials, "default")
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(args.rounds):
        for name, run in sides.items():
            seconds[name].append(run())
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    record = {
        "benchmark": "overhead",
        "trials": args.trials,
        "rounds": args.rounds,
        "seconds": {name: [round(value, 2) for value in values] for name, values in seconds.items()},
        "median_seconds": {name: round(value, 2) for name, value in medians.items()},
        "tuner_over_stock": {
            name: round(medians["tuner"] / value, 3) for name, value in medians.items() if name != "tuner"
        },
        **versions("ray", "optuna", "torch"),
        "cpu": cpu(),
    }
    print(json.dumps(record))


if __name__ == "__main__":
    main()
