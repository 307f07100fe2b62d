"""How far the best configuration of a search is above the default one: fresh seeds, fresh validation images.

    python benchmarks/against_default.py search_spaces/cifar10-cpu.yaml --leaderboard results/cifar10-cpu \
        --set dataset=parquet --set root=path/to/cifar10

The default is the search file's fixed values with the training's own defaults for everything else. Both sides are
trained with the same fresh seeds on a split that the search did not see, to the full budget, through ``tuner search``
itself: the seed is the only parameter that varies. Prints one JSON line. The test images are not read.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from common import cpu, versions
from ruamel.yaml import YAML

SEEDS = (101, 102, 103)


def fixed(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that a search file does not search."""
    return {name: entry for name, entry in parameters.items() if not isinstance(entry, dict | list)}


def train(name: str, document: dict[str, Any], config: dict[str, Any], overrides: list[str]) -> list[float]:
    """Train a configuration with each seed; returns the best validation accuracy of each run."""
    with tempfile.TemporaryDirectory() as folder:
        space = {
            "name": name,
            "data": {**document["data"], "split_seed": document["data"].get("split_seed", 0) + 1},
            "search": {"algorithm": "random", "trials": len(SEEDS)},
            "scheduler": {"type": "none"},
            "resources": document.get("resources", {}),
            "parameters": {**config, "seed": {"values": list(SEEDS)}},
        }
        path = Path(folder) / "space.yaml"
        with path.open("w") as file:
            YAML().dump(space, file)
        command = [sys.executable, "-m", "tuner", "search", str(path), "--results", folder, *overrides]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        board = pd.read_parquet(Path(folder) / name / "leaderboard.parquet").sort_values("seed")
        return [round(value, 4) for value in board["val_accuracy"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--leaderboard", type=Path, required=True, help="the folder of a finished search")
    parser.add_argument("--set", action="append", default=[], help="passed on to tuner search")
    args = parser.parse_args()
    document = YAML(typ="safe").load(args.file)
    board = pd.read_parquet(args.leaderboard / "leaderboard.parquet")
    row = board.loc[board["rank"] == 1].iloc[0]
    best = {name: row[name] for name in document["parameters"] if not pd.isna(row[name])}
    best = {name: value.item() if hasattr(value, "item") else value for name, value in best.items()}
    overrides = [word for text in args.set for word in ("--set", text)]
    sides = {
        "default": train("default", document, fixed(document["parameters"]), overrides),
        "best": train("best", document, best, overrides),
    }
    means = {name: statistics.mean(values) for name, values in sides.items()}
    record = {
        "benchmark": "against_default",
        "search": args.file.stem,
        "seeds": SEEDS,
        "val_accuracy": sides,
        "mean": {name: round(value, 4) for name, value in means.items()},
        "difference": round(means["best"] - means["default"], 4),
        "standard_deviation": {name: round(statistics.stdev(values), 4) for name, values in sides.items()},
        "best_config": best,
        "cpu": cpu(),
        **versions("torch", "torchvision"),
    }
    print(json.dumps(record))


if __name__ == "__main__":
    main()
