"""What the tests of the training share: digits, and trials short enough to run whole."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from sklearn.datasets import load_digits

from tuner.hyperparameters.table import Hyperparameters, resolve
from tuner.training.data import TrainingData
from tuner.training.loop import train

CPU = torch.device("cpu")
TIMES = ("images_per_second", "epoch_seconds")


@cache
def digits(train_images: int = 1300) -> TrainingData:
    """scikit-learn's 8x8 digits as bytes; the last 400 are the validation images."""
    loaded = load_digits()
    images = (loaded.images * 255 / 16).round().astype(np.uint8)[:, None]
    labels = loaded.target
    classes = tuple(map(str, range(10)))
    return TrainingData.from_arrays(
        images[:train_images], labels[:train_images], images[-400:], labels[-400:], classes, device=CPU
    )


def without_validation(data: TrainingData) -> TrainingData:
    """The same training images, none held out."""
    return TrainingData.from_arrays(
        data.train_images.numpy(),
        data.train_labels.numpy(),
        data.validation_images[:0].numpy(),
        data.validation_labels[:0].numpy(),
        data.classes,
        device=CPU,
    )


def small(**config: object) -> Hyperparameters:
    """A trial of the small cnn that takes tenths of a second."""
    return resolve({"model": "cnn", "width": 8, "epochs": 3, "batch_size": 64, **config})


def run(hyperparameters: Hyperparameters, data: TrainingData, **settings) -> tuple[list[dict[str, float]], str]:
    """Train to the end; returns the reports without what a clock measured, and why it ended."""
    reports = []
    epochs = train(hyperparameters, data, device=CPU, **settings)
    while True:
        try:
            report = next(epochs)
        except StopIteration as end:
            return reports, end.value
        reports.append({name: value for name, value in report.items() if name not in TIMES})


@cache
def coloured() -> TrainingData:
    """Twenty oblong images of noise in two classes, whose three channels differ in mean and deviation."""
    images, labels = random_images(20).numpy(), np.arange(20) % 2
    images[:, 1] //= 2
    return TrainingData.from_arrays(images, labels, images[:4], labels[:4], ("a", "b"), device=CPU)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_images(count: int, channels: int = 3, height: int = 12, width: int = 20) -> torch.Tensor:
    return torch.randint(0, 256, (count, channels, height, width), dtype=torch.uint8, generator=generator())
