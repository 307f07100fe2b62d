"""How long a training takes to reach a test accuracy on CIFAR-10; part of ``gpu.py``."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from tuner.datasets.entry import read_entry
from tuner.datasets.prepared import load_split
from tuner.hyperparameters.table import resolve
from tuner.training.data import TrainingData
from tuner.training.loop import train

#: After Page 2019 (DAWNBench), whose ResNet-9 takes 24 epochs: up for 5 of them, then down in a straight line.
RECIPE: dict[str, object] = {
    "model": "resnet9",
    "epochs": 24,
    "batch_size": 512,
    "optimizer": "sgd",
    "lr": 0.4,
    "momentum": 0.9,
    "nesterov": True,
    "weight_decay": 5e-4,
    "label_smoothing": 0.1,
    "schedule": "linear",
    "warmup_epochs": 5,
    "crop_padding": 4,
    "flip": True,
    "cutout": 8,
}


def to_target(recipe: Mapping[str, object], data: TrainingData, target: float, seeds: int) -> dict[str, Any]:
    """Train to the end for each seed; return the training seconds up to the target, null where it was not reached."""
    runs = [run_to_target(recipe | {"seed": seed}, data, target) for seed in range(seeds)]
    reached = [run["seconds"] for run in runs if run["seconds"] is not None]
    return {
        "target": target,
        "median_seconds": statistics.median(reached) if len(reached) == seeds else None,
        "runs": runs,
        "recipe": recipe,
    }


def run_to_target(config: Mapping[str, object], data: TrainingData, target: float) -> dict[str, Any]:
    """Train one seed."""
    device = data.train_images.device
    began = time.perf_counter()
    seconds, reached = 0.0, None
    for report in train(resolve(config), data, device=device):
        seconds += len(data.train_labels) / report["images_per_second"]
        accuracy = report["val_accuracy"]
        if reached is None and accuracy >= target:
            reached = {"seconds": round(seconds, 2), "epoch": report["epoch"]}
    return {
        **(reached or {"seconds": None, "epoch": None}),
        "final_accuracy": accuracy,
        "all_seconds": round(seconds, 2),
        "wall_seconds": round(time.perf_counter() - began, 2),
    }


def cifar10(folder: Path, device: torch.device) -> TrainingData:
    """Return CIFAR-10 with the test split in the place of the validation images."""
    with tempfile.TemporaryDirectory() as cache:
        entry = read_entry(folder) if (folder / "meta.json").exists() else None
        if entry is None:
            from tuner.datasets.prepare import prepare  # needs pyarrow

            entry = prepare("parquet", folder, cache=Path(cache))
        splits = [array.copy() for name in ("train", "test") for array in load_split(entry.folder, name)]
    return TrainingData.from_arrays(*splits, entry.classes, device=device)
