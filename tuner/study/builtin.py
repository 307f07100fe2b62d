"""The built-in trainable: the training room's loop on a prepared data set, in the shape of everybody's trainable."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from tuner.datasets.split_arrays import split_arrays
from tuner.hyperparameters.table import resolve
from tuner.study.job import Job, Trainable
from tuner.training.data import TrainingData
from tuner.training.loop import train


def builtin_trainable(job: Job) -> Trainable:
    """Return the built-in trainable of a job; its data stays in the process for the trials that follow."""

    def cifar(config: dict[str, Any], checkpoint: Path) -> Generator[Mapping[str, Any], None, str | None]:
        return (
            yield from train(
                resolve(config),
                _data(job),
                device=device_of(job),
                checkpoint=checkpoint,
                metric=job.metric,
                goal=job.goal,
            )
        )

    return cifar


def device_of(job: Job) -> torch.device:
    """Return where a trial trains: the GPU that Ray gave its process, or the CPU if it asked for none."""
    return torch.device("cuda" if job.gpus > 0 else "cpu")


@lru_cache(maxsize=1)
def _data(job: Job) -> TrainingData:
    """Return the training and validation images; the test split is not opened."""
    assert job.data is not None and job.prepared is not None
    arrays = split_arrays(
        job.prepared,
        validation=job.data.validation,
        split_seed=job.data.split_seed,
        train_images=job.data.train_images,
    )
    return TrainingData.from_arrays(**vars(arrays), classes=job.prepared.classes, device=device_of(job))
