"""A search on clusters of 1, 2, 4 and 8 nodes of one machine: how one driver copes, beside stock Ray Tune.

    python benchmarks/cluster.py [--nodes 1 2 4 8] [--cpus 2] [--trials 12] [--pause 0.5]

Each node is a real ``ray start`` that claims to have ``--cpus`` CPUs; the head has none. The trainable is a formula
that sleeps ``--pause`` seconds an epoch, so that trials need no processor and what is left is the cost of driver and
Ray. Both sides run the same space with TPE and ASHA in a process of their own that joins the cluster, with as many
trials at a time as there are CPUs and ``--trials`` times as many in all; stock Ray Tune with ``reuse_actors``. All
nodes share this machine's processors: figures say what the driver costs, not how fast eight machines would be.

- ``busy``: epochs times pause over slots times seconds; what is left was waiting for the driver, Ray or a process.
- ``driver_cpu``: user and system seconds of the driver's process over its wall-clock seconds; 1 is a whole core.
- ``store_bytes``: what was put into the nodes' object stores meanwhile (Ray's cumulative_created_bytes, all nodes).
  Ray sends results below 100 kB beside the object store; they are no part of it.

Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import machine, versions
from formula import SEARCH_FILE

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.cluster.nodes import Cluster, cluster
from tuner.journal.events import Epoch
from tuner.journal.log import read_events

STOCK = """\
import os
import sys

import ray
from formula import train as epochs
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch


def train(config):
    for numbers in epochs(config):
        tune.report(numbers)


def space(trial):
    optimizer = trial.suggest_categorical("optimizer", ["sgd", "adamw"])
    trial.suggest_categorical("batch_size", [128, 256, 512])
    if optimizer == "sgd":
        trial.suggest_float("lr", 1e-2, 1.0, log=True)
        trial.suggest_float("momentum", 0.8, 0.98)
    else:
        trial.suggest_float("lr", 1e-4, 1e-2, log=True)
    trial.suggest_float("weight_decay", 1e-5, 1e-2, log=True)
    trial.suggest_float("dropout", 0.0, 0.5)
    trial.suggest_categorical("mixup_alpha", [0.0, 0.1, 0.2, 0.4, 1.0])
    trial.suggest_float("label_smoothing", 0.0, 0.2)
    trial.suggest_int("width", 16, 128)
    return {"pause": float(sys.argv[4])}


address, trials, slots, _, storage = sys.argv[1:]
ray.init(address=address, log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": os.getcwd()}})
results = tune.Tuner(
    train,
    tune_config=tune.TuneConfig(
        metric="val_accuracy",
        mode="max",
        num_samples=int(trials),
        max_concurrent_trials=int(slots),
        search_alg=OptunaSearch(space, metric="val_accuracy", mode="max", seed=0),
        scheduler=ASHAScheduler(grace_period=3, reduction_factor=3, max_t=27),
        reuse_actors=True,
    ),
    run_config=tune.RunConfig(storage_path=storage, verbose=0),
).fit()
assert results.num_terminated == int(trials) and not results.errors
print("epochs", sum(result.metrics["training_iteration"] for result in results))
"""


@dataclass(frozen=True)
class Scale:
    """One size of a search."""

    nodes: int
    slots: int
    trials: int
    pause: float


@dataclass(frozen=True)
class Ran:
    """One driver's process, from its start to its exit."""

    seconds: float
    processor_seconds: float
    peak_mb: int


def run_tuner(running: Cluster, folder: Path, scale: Scale) -> tuple[Ran, int]:
    """Run ``tuner search``; returns its process and how many epochs it trained."""
    text = SEARCH_FILE.format(name="scale", algorithm="tpe", trials=scale.trials, slots=scale.slots, pause=scale.pause)
    (folder / "space.yaml").write_text(text)
    command = [sys.executable, "-m", "tuner", "search", "space.yaml", "--address", running.address]
    ran, _ = driver(command, running, folder)
    return ran, sum(isinstance(event, Epoch) for event in read_events(folder / "results/scale"))


def run_stock(running: Cluster, folder: Path, scale: Scale) -> tuple[Ran, int]:
    """Run stock Ray Tune; returns its process and how many epochs it trained."""
    (folder / "stock.py").write_text(STOCK)
    counts = [str(scale.trials), str(scale.slots), str(scale.pause)]
    ran, said = driver([sys.executable, "stock.py", running.address, *counts, str(folder / "out")], running, folder)
    return ran, int(said.split("epochs ")[-1])


SIDES = {"tuner": run_tuner, "stock": run_stock}


def driver(command: list[str], running: Cluster, folder: Path) -> tuple[Ran, str]:
    """Run a driver to its end; returns what it cost, and its stdout."""
    environment = os.environ | running.environment | {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AIR_NEW_OUTPUT": "0"}
    out, err = folder / "stdout", folder / "stderr"
    began = time.perf_counter()
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=stdout, stderr=stderr)
        _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{command}: exit code {process.returncode}\n{err.read_text(errors='replace')}")
    return Ran(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss // 1024), out.read_text()


def created_bytes(running: Cluster) -> int:
    """Return how many bytes were ever put into the object stores of a cluster's nodes."""
    said = subprocess.run(
        [sys.executable, __file__, "--store", running.address],
        env=os.environ | running.environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return int(said.stdout.split()[-1])


def print_created_bytes(address: str) -> None:
    """The part of ``created_bytes`` that joins the cluster."""
    import ray
    from ray._private.internal_api import node_stats

    ray.init(address=address, log_to_driver=False, logging_level="CRITICAL")
    alive = [node for node in ray.nodes() if node["Alive"]]
    stats = [node_stats(node["NodeManagerAddress"], node["NodeManagerPort"], False).store_stats for node in alive]
    print(sum(item.cumulative_created_bytes for item in stats))


def measured(nodes: int, cpus: int, trials_per_slot: int, pause: float) -> Iterable[dict[str, Any]]:
    """Yield a record of each side on one cluster, one after the other."""
    scale = Scale(nodes, nodes * cpus, nodes * cpus * trials_per_slot, pause)
    with cluster([]) as running:
        for _ in range(nodes):  # one after the other: eight at once starve each other on two cores
            running.add(cpus)
        for side, run in SIDES.items():
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                (folder / "formula.py").write_bytes((Path(__file__).parent / "formula.py").read_bytes())
                before = created_bytes(running)
                ran, epochs = run(running, folder, scale)
                store = created_bytes(running) - before
            cell = {
                "side": side,
                **vars(scale),
                "epochs": epochs,
                "seconds": round(ran.seconds, 1),
                "trials_per_hour": round(scale.trials / ran.seconds * 3600),
                "reports_per_second": round(epochs / ran.seconds, 1),
                "busy": round(epochs * pause / (scale.slots * ran.seconds), 3),
                "driver_cpu": round(ran.processor_seconds / ran.seconds, 3),
                "driver_cpu_ms_per_report": round(1000 * ran.processor_seconds / epochs, 2),
                "driver_peak_mb": ran.peak_mb,
                "store_bytes": store,
            }
            print(json.dumps(cell), file=sys.stderr, flush=True)  # what is done is not lost with the next
            yield cell


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--cpus", type=int, default=2, help="slots of each node")
    parser.add_argument("--trials", type=int, default=12, help="trials for each slot")
    parser.add_argument("--pause", type=float, default=0.5, help="seconds of an epoch")
    parser.add_argument("--store", metavar="ADDRESS", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.store is not None:
        print_created_bytes(args.store)
        return
    where = machine()
    cells = [cell for nodes in args.nodes for cell in measured(nodes, args.cpus, args.trials, args.pause)]
    print(json.dumps({"benchmark": "cluster", "cells": cells, **where, "versions": versions("ray", "optuna")}))


if __name__ == "__main__":
    main()
