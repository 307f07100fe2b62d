"""Images per second of the training loop, beside a DataLoader loop and beside the bare step. Prints one JSON line.

    python benchmarks/loop.py --model cnn

All train the same model with SGD, momentum and batches of 128 on random images of CIFAR-10's shape, with the same
threads:

- ``loop``: ``tuner.training.loop.train`` with crop 4 and flip, as reported by itself;
- ``dataloader_0``, ``dataloader_2``: the loop of the tutorials, 0 and 2 workers, torchvision's v2 transforms for each
  image, contiguous tensors;
- ``bare``: forward, loss, backward and step on one fixed normalized batch, channels last as in the loop.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
import torch
from common import cpu, rounds, versions
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from tuner.hyperparameters.table import Hyperparameters, resolve
from tuner.training import models, optimizers
from tuner.training.data import TrainingData
from tuner.training.loop import train
from tuner.training.normalization import dataset as normalization

CPU = torch.device("cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="cnn", choices=sorted(models.MODELS))
    parser.add_argument("--images", type=int, default=2560, help="training images, at most 10000 (default: 2560)")
    parser.add_argument("--rounds", type=int, default=15, help="interleaved rounds (default: 15)")
    parser.add_argument("--threads", type=int, default=2, help="threads of PyTorch (default: 2)")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    # A small rate: the weights, and with them the work, stay alike on all sides.
    config = {"model": args.model, "epochs": args.rounds + 1, "lr": 1e-4, "schedule": "constant"}
    hyperparameters = resolve({**config, "crop_padding": 4, "flip": True})
    data = random_images(min(args.images, 10_000))
    measured = {
        "loop": our_loop(hyperparameters, data),
        "bare": bare_step(hyperparameters, data),
        "dataloader_0": dataloader_loop(hyperparameters, data, workers=0),
        "dataloader_2": dataloader_loop(hyperparameters, data, workers=2),
    }
    for run in measured.values():  # warm up: first calls pay for workers, caches and kernels
        run()
    medians = rounds(measured, args.rounds)
    best_dataloader = max(medians["dataloader_0"], medians["dataloader_2"])
    report = {
        **{name: round(value, 1) for name, value in medians.items()},
        "loop_over_bare": round(medians["loop"] / medians["bare"], 3),
        "loop_over_dataloader": round(medians["loop"] / best_dataloader, 3),
        "rounds": args.rounds,
        "model": args.model,
        "images": len(data.train_labels),
        "batch_size": hyperparameters.budget.batch_size,
        "threads": args.threads,
        "versions": versions("torch", "torchvision"),
        "cpu": cpu(),
    }
    print(json.dumps(report))


def random_images(count: int) -> TrainingData:
    """Return noise of CIFAR-10's shape, with as few validation images as the loop takes."""
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (count + 10, 3, 32, 32), dtype=np.uint8)
    labels = draw.integers(0, 10, count + 10)
    classes = tuple(map(str, range(10)))
    return TrainingData.from_arrays(images[10:], labels[10:], images[:10], labels[:10], classes, device=CPU)


def our_loop(hyperparameters: Hyperparameters, data: TrainingData) -> Callable[[], float]:
    """Return a function that trains one more epoch and returns its images per second."""
    epochs = train(hyperparameters, data, device=CPU)
    return lambda: next(epochs)["images_per_second"]


def bare_step(hyperparameters: Hyperparameters, data: TrainingData) -> Callable[[], float]:
    """Return a function that makes as many steps as an epoch has, on one batch."""
    batch_size = hyperparameters.budget.batch_size
    images = normalization(data)(data.train_images[:batch_size])
    labels = data.train_labels[:batch_size]
    step = make_step(hyperparameters, data, torch.channels_last)

    def run() -> float:
        began = time.perf_counter()
        steps = len(data.train_labels) // batch_size
        for _ in range(steps):
            step(images, labels)
        return steps * batch_size / (time.perf_counter() - began)

    return run


def dataloader_loop(hyperparameters: Hyperparameters, data: TrainingData, workers: int) -> Callable[[], float]:
    """Return a function that trains one epoch through a DataLoader."""
    loader: DataLoader[tuple[Tensor, Tensor]] = DataLoader(
        TransformedImages(data),
        batch_size=hyperparameters.budget.batch_size,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    step = make_step(hyperparameters, data, torch.contiguous_format)

    def run() -> float:
        began = time.perf_counter()
        for images, labels in loader:
            step(images, labels)
        return len(data.train_labels) / (time.perf_counter() - began)

    return run


def make_step(
    hyperparameters: Hyperparameters, data: TrainingData, memory_format: torch.memory_format
) -> Callable[[Tensor, Tensor], None]:
    """Return forward, loss, backward and step of a fresh model."""
    model = models.build(hyperparameters, data.image_shape, len(data.classes)).to(memory_format=memory_format)
    optimizer = optimizers.build(hyperparameters.optimizer, hyperparameters.penalties, model)
    loss_of = nn.CrossEntropyLoss()

    def step(images: Tensor, labels: Tensor) -> None:
        optimizer.zero_grad()
        loss = loss_of(model(images), labels)
        loss.backward()
        optimizer.step()

    return step


class TransformedImages(Dataset[tuple[Tensor, Tensor]]):
    """Images with random crop and flip, one at a time."""

    def __init__(self, data: TrainingData) -> None:
        self.images, self.labels = data.train_images, data.train_labels
        self.transform = v2.Compose(
            [
                v2.RandomCrop(data.image_shape[1:], padding=4, padding_mode="reflect"),
                v2.RandomHorizontalFlip(),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(data.mean.tolist(), data.std.tolist()),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.transform(self.images[index]), self.labels[index]


if __name__ == "__main__":
    main()
