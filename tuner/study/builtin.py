"""The built-in trainable: the training room's loop on a prepared data set, in the shape of everybody's trainable."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from tuner.datasets.split import reserved_images
from tuner.datasets.split_arrays import split_arrays
from tuner.hyperparameters.table import Hyperparameters, resolve
from tuner.study.arrays import write_array
from tuner.study.delivery import data_here, weights_here
from tuner.study.job import Job, Trainable, probabilities_path
from tuner.training import normalization
from tuner.training.checkpoints import best_weights
from tuner.training.data import TrainingData
from tuner.training.loop import train
from tuner.training.models import registry as models
from tuner.training.predictions import predict_probabilities


def builtin_trainable(job: Job) -> Trainable:
    """Return the built-in trainable of a job; its data stays in the process for the trials that follow."""

    def cifar(config: dict[str, Any], checkpoint: Path) -> Generator[Mapping[str, Any], None, str | None]:
        hyperparameters, data = resolve(config), _data(job, job.split_seed_of(config))
        reason = yield from train(
            hyperparameters,
            data,
            device=device_of(job),
            checkpoint=checkpoint,
            weights=weights_here(job, hyperparameters.model.model) if hyperparameters.model.pretrained else None,
            metric=job.metric,
            goal=job.goal,
        )
        if job.reserved is not None:
            _write_probabilities(job, config, hyperparameters, data, checkpoint)
        return reason

    return cifar


def device_of(job: Job) -> torch.device:
    """Return where a trial trains: the GPU that Ray gave its process, or the CPU if it asked for none."""
    return torch.device("cuda" if job.gpus > 0 else "cpu")


@lru_cache(maxsize=1)
def _data(job: Job, split_seed: int) -> TrainingData:
    """Return the training and validation images; the test split is not opened."""
    assert job.data is not None
    prepared = data_here(job)
    arrays = split_arrays(
        prepared,
        validation=job.data.validation,
        split_seed=split_seed,
        train_images=job.data.train_images,
        reserved=job.reserved,
    )
    return TrainingData.from_arrays(**vars(arrays), classes=prepared.classes, device=device_of(job))


def _write_probabilities(
    job: Job, config: Mapping[str, Any], hyperparameters: Hyperparameters, data: TrainingData, checkpoint: Path
) -> None:
    """Write down what a trained trial's best weights say about the reserved images, before the trial has ended."""
    assert job.reserved is not None
    images, labels = data_here(job).load_train()
    chosen = torch.from_numpy(images[reserved_images(labels, job.reserved)]).to(device_of(job))
    shape = normalization.input_shape(hyperparameters.input, data.image_shape)
    model = models.build(hyperparameters, shape, len(data.classes))
    model.load_state_dict(best_weights(checkpoint)[1])
    model.to(chosen.device)
    probabilities = predict_probabilities(model, chosen, normalization.build(hyperparameters.input, data))
    write_array(probabilities_path(job.folder, config), probabilities.float().numpy())
