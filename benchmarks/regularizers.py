"""What each regularizer does to validation accuracy and to the gap, on the images of search_spaces/cifar10-cpu.yaml.

    python benchmarks/regularizers.py --dataset parquet --root path/to/cifar10
    python benchmarks/regularizers.py --page docs/regularizers.md

The first command trains, for some hours on two cores, and goes on where it was interrupted: each finished run is a line
of the results file. The second writes the page from those lines. Runs of one seed share images and initial weights, so
that differences are taken in pairs.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common import cpu
from regularizers_page import page
from runs import Data, side_by_side

from tuner.datasets.prepare import prepare
from tuner.facts.provenance import commit, versions

SEEDS = (0, 1, 2)
CURVES = ("train_loss", "train_accuracy", "val_loss", "val_accuracy")

#: A network that is well trained and not regularized. bfloat16 takes half of float32's time where the processor has it.
BASE: dict[str, Any] = {
    **{"model": "cnn", "norm": "none", "epochs": 18, "batch_size": 128, "precision": "bfloat16"},
    **{"optimizer": "sgd", "lr": 0.03, "momentum": 0.9, "nesterov": True, "schedule": "cosine"},
}

#: Name to what it changes in the base: each regularizer alone, at a strength that is usual for it.
CASES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "weight decay": {"weight_decay": 5e-4},
    "l2": {"l2": 5e-4},
    "l1": {"l1": 3e-5},
    # Momentum 0.9 makes ten times as much of a gradient, and nothing of the proximal step.
    "l1, proximal": {"l1": 3e-4, "l1_proximal": True},
    "max norm": {"max_norm": 1.0},
    "label smoothing": {"label_smoothing": 0.1},
    "dropout": {"dropout": 0.5},
    "dropout of maps, spatial": {"dropout_conv": 0.1, "dropout_kind": "spatial"},
    "dropout of maps, dropblock": {"dropout_conv": 0.1, "dropout_kind": "dropblock", "dropblock_size": 3},
    "dropconnect": {"dropout": 0.5, "dropout_conv": 0.1, "dropout_kind": "dropconnect"},
    "concrete dropout": {"dropout": 0.1, "dropout_conv": 0.1, "dropout_kind": "concrete"},
    "batch norm": {"norm": "batch"},
    "mixup": {"mixup_alpha": 0.2},
    "cutmix": {"cutmix_alpha": 1.0, "mix_prob": 0.5},
    "cutout": {"cutout": 8},
    "flip": {"flip": True},
    "random crop": {"crop_padding": 4},
    "colour": {"brightness": 0.2, "contrast": 0.2, "saturation": 0.2},
    "trivial augment": {"trivial_augment": True},
    "averaged weights": {"ema_decay": 0.99},
    "early stopping": {"early_stop_patience": 3},
    "a combination": {
        **{"flip": True, "crop_padding": 4, "weight_decay": 5e-4, "dropout": 0.25},
        **{"norm": "batch", "ema_decay": 0.99},
    },
}


def read(path: Path) -> list[dict[str, Any]]:
    """Return the finished runs of a results file; a last line that was cut short is none."""
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def missing(runs: list[dict[str, Any]], data: Data, epochs: int) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Yield what is to be run, seed by seed, so that what there is can always be compared."""
    done = [(line["case"], line["seed"], line["config"], line["images"]) for line in runs]
    for seed in SEEDS:
        for case, changes in CASES.items():
            config = {**BASE, **changes, "epochs": epochs}
            if (case, seed, config, data.sizes) not in done:
                yield case, seed, config


def append(path: Path, line: dict[str, Any]) -> None:
    """Write down a finished run; what an interruption cut short is written over."""
    with path.open("r+b" if path.exists() else "w+b") as file:
        file.truncate(file.seek(file.read().rfind(b"\n") + 1))
        file.write(json.dumps(line).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def run_all(args: argparse.Namespace) -> None:
    data = Data(args.dataset, args.root and str(Path(args.root).absolute()), args.validation, args.train_images)
    prepare(data.dataset, args.root and Path(args.root))  # once, before processes ask for it
    args.results.parent.mkdir(parents=True, exist_ok=True)
    machine = {"cpu": cpu(), "processes": args.processes, "threads": args.threads}
    provenance = {"machine": machine, "versions": versions(), "commit": commit()}
    wanted = (
        ((case, seed, config), seed, {**config, "seed": seed})
        for case, seed, config in missing(read(args.results), data, args.epochs)
    )
    ended = side_by_side(
        data, wanted, CURVES, processes=args.processes, threads=args.threads, limit_minutes=args.limit_minutes
    )
    for (case, seed, config), result in ended:
        line = {"case": case, "seed": seed, "config": config, "images": data.sizes, **result, **provenance}
        append(args.results, line)
        best = max(line["val_accuracy"], default=None)
        print(f"{case}, seed {seed}: {best} after {line['seconds']} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--root", help="where the data set lies (default: the cache folder)")
    parser.add_argument("--validation", type=int, default=2000)
    parser.add_argument("--train-images", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=BASE["epochs"])
    parser.add_argument("--processes", type=int, default=2, help="runs side by side (default: 2)")
    parser.add_argument("--threads", type=int, default=1, help="threads of each (default: 1)")
    parser.add_argument("--limit-minutes", type=float, default=float("inf"), help="no run begins after this time")
    parser.add_argument("--results", type=Path, default=Path("results/regularizers.jsonl"))
    parser.add_argument("--page", type=Path, help="train nothing; write the page of the results")
    args = parser.parse_args()
    if args.page is None:
        run_all(args)
    else:
        args.page.write_text(page(read(args.results), CASES), encoding="utf-8")


if __name__ == "__main__":
    main()
