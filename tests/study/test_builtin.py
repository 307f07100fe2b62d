"""The built-in trainable as a job gives it to a worker: its images, and what its best weights say in the end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tuner.datasets.prepare import prepare
from tuner.datasets.split import Reserved, reserved_images
from tuner.facts.records import Goal
from tuner.hyperparameters.table import resolve
from tuner.space.searchfile import Data
from tuner.study import builtin
from tuner.study.builtin import builtin_trainable
from tuner.study.job import Job, probabilities_path
from tuner.training.checkpoints import best_weights
from tuner.training.data import TrainingData
from tuner.training.models import registry
from tuner.training.normalization import build

CONFIG: dict[str, Any] = {"model": "cnn", "width": 8, "epochs": 2, "batch_size": 64, "ema_decay": 0.9}


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(
        trainable="cifar",
        import_paths=(),
        data=Data("digits", None, validation=200, split_seed=3, train_images=None),
        prepared=prepare("digits", cache=tmp_path / "cache"),
        metric="val_accuracy",
        goal=Goal.MAXIMIZE,
        max_epochs=2,
        place=str(tmp_path),
        cpus=1,
        gpus=0,
        fresh_splits=True,
        reserved=Reserved(100, seed=5),
    )


def trained(job: Job, seed: int, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> TrainingData:
    """Train to the end; returns the images."""
    seen: list[TrainingData] = []
    whole = builtin.train

    def spy(hyperparameters: Any, data: TrainingData, **words: Any) -> Any:
        seen.append(data)
        return whole(hyperparameters, data, **words)

    monkeypatch.setattr(builtin, "train", spy)
    checkpoint.mkdir()
    for _ in builtin_trainable(job)({**CONFIG, "seed": seed}, checkpoint):
        pass
    monkeypatch.undo()
    return seen[0]


def test_what_the_best_weights_say_about_reserved_images_is_kept(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = trained(job, 7, tmp_path / "work", monkeypatch)
    assert job.prepared is not None and job.reserved is not None
    images, labels = job.prepared.load_train()
    chosen = reserved_images(labels, job.reserved)
    hyperparameters = resolve({**CONFIG, "seed": 7})
    model = registry.build(hyperparameters, data.image_shape, 10)
    model.load_state_dict(best_weights(tmp_path / "work")[1])
    model.eval()
    with torch.no_grad():
        expected = model(build(hyperparameters.input, data)(torch.from_numpy(images[chosen]))).softmax(1)
    kept = np.load(probabilities_path(tmp_path, {**CONFIG, "seed": 7}))
    assert kept == pytest.approx(expected.numpy(), abs=1e-5)
    assert (kept.argmax(1) == labels[chosen]).mean() > 0.3, "it has learned something"


def test_equal_seeds_have_equal_images_and_others_have_others(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, again, other = (trained(job, seed, tmp_path / str(k), monkeypatch) for k, seed in enumerate((7, 7, 8)))
    assert torch.equal(first.validation_images, again.validation_images)
    assert not torch.equal(first.validation_images, other.validation_images)
    assert job.prepared is not None and job.reserved is not None
    images, labels = job.prepared.load_train()
    aside = {images[index].tobytes() for index in reserved_images(labels, job.reserved)}
    for data in (first, other):
        for part in (data.train_images, data.validation_images):
            assert not aside & {image.numpy().tobytes() for image in part}
    assert len(first.train_labels) == len(labels) - 200 - 100


def test_a_search_splits_by_its_own_seed_and_writes_nothing_more(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = replace(job, fresh_splits=False, reserved=None)
    first, other = (trained(plain, seed, tmp_path / str(seed), monkeypatch) for seed in (7, 8))
    assert torch.equal(first.validation_images, other.validation_images)
    assert not (tmp_path / "probabilities").exists()
