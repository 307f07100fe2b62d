"""Trainings one beside the other for benchmarks that take hours: images, one run, and a pool of processes."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import torch

from tuner.datasets.prepare import prepare
from tuner.datasets.split_arrays import split_arrays
from tuner.facts.errors import DivergedError
from tuner.hyperparameters.table import resolve
from tuner.training.data import TrainingData
from tuner.training.loop import train

Key = TypeVar("Key")


@dataclass(frozen=True)
class Data:
    """Which images; what ``prepare`` and ``split_arrays`` are told, but for the seed of the split."""

    dataset: str
    root: str | None
    validation: int
    train_images: int

    @property
    def sizes(self) -> dict[str, int]:
        """Return how many images there are of each kind."""
        return {"validation": self.validation, "train_images": self.train_images}


@lru_cache(maxsize=1)
def load(data: Data, split_seed: int, device: str = "cpu") -> TrainingData:
    """Return the images on a device; they stay in the process for the runs that follow."""
    prepared = prepare(data.dataset, None if data.root is None else Path(data.root))
    arrays = split_arrays(prepared, split_seed=split_seed, **data.sizes)
    return TrainingData.from_arrays(**vars(arrays), classes=prepared.classes, device=torch.device(device))


def run(
    data: Data, split_seed: int, config: Mapping[str, Any], names: Sequence[str], device: str = "cpu"
) -> dict[str, Any]:
    """Train once; returns why it ended, its seconds and the curve of each of ``names``."""
    began = time.perf_counter()
    epochs = train(resolve(dict(config)), load(data, split_seed, device), device=torch.device(device))
    curves: dict[str, list[float]] = {name: [] for name in names}
    try:
        while True:
            report = next(epochs)
            for name in names:
                curves[name].append(round(report[name], 5))
    except StopIteration as end:
        reason = end.value
    except DivergedError:
        reason = "diverged"
    return {"stop_reason": reason, "seconds": round(time.perf_counter() - began, 1), **curves}


def side_by_side(
    data: Data,
    wanted: Iterable[tuple[Key, int, Mapping[str, Any]]],
    names: Sequence[str],
    *,
    processes: int,
    threads: int = 1,
    limit_minutes: float = float("inf"),
    device: str = "cpu",
) -> Iterator[tuple[Key, dict[str, Any]]]:
    """Train what is wanted, in order; yields each key with what ``run`` returned as it ends.

    Args:
        data: Which images.
        wanted: Key, seed of the split and configuration of each run.
        names: The curves to keep.
        processes: Runs side by side.
        threads: Of PyTorch in each.
        limit_minutes: No run begins after this time.
        device: Where to train.
    """
    ends_at = time.monotonic() + 60 * limit_minutes
    left = iter(wanted)
    running: dict[Future[dict[str, Any]], Key] = {}
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, spawn, torch.set_num_threads, (threads,)) as pool:
        while True:
            while len(running) < processes and time.monotonic() < ends_at and (item := next(left, None)):
                key, split_seed, config = item
                running[pool.submit(run, data, split_seed, config, names, device)] = key
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
