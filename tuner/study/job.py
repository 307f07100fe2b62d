"""What every trial of a search shares: what to train, on what, with which metric, and where results go."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import inspect
import itertools
import json
import sys
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tuner.datasets.prepared import PreparedData
from tuner.datasets.split import Reserved
from tuner.facts.errors import UsageError
from tuner.facts.records import Goal
from tuner.facts.seeds import derived_seed
from tuner.space.searchfile import Data
from tuner.storage.copies import attach
from tuner.study.weights import Weights

#: What every trainable is: a generator of one mapping an epoch, whose return value may name why it ended.
Trainable = Callable[[dict[str, Any], Path], Generator[Mapping[str, Any], None, str | None]]


@dataclass(frozen=True)
class Job:
    """The part of a search that travels to workers; small and picklable.

    Attributes:
        trainable: ``cifar`` or ``package.module:function``.
        import_paths: Folders that come first on the import path, for one's own trainable.
        data: The built-in trainable's ``data`` settings; None for one's own.
        prepared: The decoded data set; None for one's own trainable.
        metric: Name of the metric in each report.
        goal: Of the metric.
        further: Names of other numbers that each report must hold, finite as the metric is.
        max_epochs: Budget of a trial, or None where nothing bounds it.
        place: Where the results of the search lie, as all nodes know it: a folder, or an address on object storage.
        cpus: CPUs of a trial, which is its number of threads, at least 1.
        gpus: GPUs of a trial; below 1 is a share of one GPU's memory.
        fresh_splits: Whether each trial splits the data by a seed of its own (see ``fresh_split_seed``).
        reserved: Images that no trial sees before it has ended, or None; what each trial's best weights then say
            about them goes into ``probabilities_path``.
        weights: The pretrained weights of each architecture that some trial begins with such.
        home: On a cluster Ray's id of the driver's node, where data and weights lie as they are named here; None where
            all runs on the driver's machine.
    """

    trainable: str
    import_paths: tuple[str, ...]
    data: Data | None
    prepared: PreparedData | None
    metric: str
    goal: Goal
    max_epochs: int | None
    place: str
    cpus: float
    gpus: float
    fresh_splits: bool = False
    further: tuple[str, ...] = ()
    reserved: Reserved | None = None
    weights: tuple[Weights, ...] = ()
    home: str | None = None

    @property
    def folder(self) -> Path:
        """The results folder, or what stands for it in this process; raises ``StorageError``."""
        return attach(self.place)

    @property
    def builtin(self) -> bool:
        """Whether the trainable is the built-in one."""
        return ":" not in self.trainable

    def weights_of(self, model: str) -> Weights:
        """Return an architecture's pretrained weights."""
        return next(weights for weights in self.weights if weights.model == model)

    def split_seed_of(self, config: Mapping[str, Any]) -> int:
        """Return the seed by which a trial of the built-in trainable splits the data."""
        assert self.data is not None
        if not self.fresh_splits:
            return self.data.split_seed
        return fresh_split_seed(config["seed"], besides=self.data.split_seed)


def fresh_split_seed(seed: int, *, besides: int) -> int:
    """Return the split seed that follows from a trial's seed, so that trials with equal seeds have equal images.

    Args:
        seed: The trial's.
        besides: The search's split seed, which it never is.
    """
    tries = (derived_seed(seed, f"split {k}") for k in itertools.count())
    return next(found for found in tries if found != besides)


def probabilities_path(folder: Path, config: Mapping[str, Any]) -> Path:
    """Return where a trial writes the probabilities [images, classes] of the reserved images, an .npy file."""
    return folder / "probabilities" / f"{identity(config)}.npy"


def identity(config: Mapping[str, Any]) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of a configuration's canonical JSON, its seed included."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:16]


def load_trainable(job: Job) -> Trainable:
    """Return the function that a job trains with.

    Raises:
        UsageError: The module or the function does not exist, or the function is no generator of the right shape.
    """
    if job.builtin:
        from tuner.study.builtin import builtin_trainable

        return builtin_trainable(job)
    for folder in reversed(job.import_paths):
        with contextlib.suppress(ValueError):
            sys.path.remove(folder)
        sys.path.insert(0, folder)
    module_name, _, function_name = job.trainable.partition(":")
    try:
        function: Trainable = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"trainable '{job.trainable}' cannot be imported: {error}") from error
    if not inspect.isgeneratorfunction(function):
        raise UsageError(f"trainable '{job.trainable}' is not a generator function: it must yield once an epoch")
    if len(inspect.signature(function).parameters) == 1:
        # This one keeps no checkpoints.
        return lambda config, checkpoint: cast(Callable[[dict[str, Any]], Any], function)(config)
    return function
