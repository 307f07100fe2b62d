"""What the benchmarks of training share: random images, and the bare step on one fixed batch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn, optim
from torch.utils.data import Dataset
from torchvision.transforms import v2

from tuner.hyperparameters.table import Hyperparameters
from tuner.training import optimizers
from tuner.training.data import TrainingData
from tuner.training.models.registry import build

#: Makes one step on normalized float32 images and their labels.
Step = Callable[[Tensor, Tensor], None]


def random_images(count: int, device: torch.device) -> TrainingData:
    """Return noise of CIFAR-10's shape, with as few validation images as the loop takes."""
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (count + 10, 3, 32, 32), dtype=np.uint8)
    labels = draw.integers(0, 10, count + 10)
    classes = tuple(map(str, range(10)))
    return TrainingData.from_arrays(images[10:], labels[10:], images[:10], labels[:10], classes, device=device)


def build_model(hyperparameters: Hyperparameters, data: TrainingData) -> nn.Module:
    """Return a fresh model on the device of the images, stored channels last as in the loop."""
    model = build(hyperparameters, data.image_shape, len(data.classes))
    return model.to(data.train_images.device).to(memory_format=torch.channels_last)


def build_optimizer(hyperparameters: Hyperparameters, model: nn.Module) -> optim.Optimizer:
    """Return the loop's own optimizer."""
    return optimizers.build(hyperparameters.optimizer, hyperparameters.penalties, model)


def make_step(model: nn.Module, optimizer: optim.Optimizer, precision: torch.dtype = torch.float32) -> Step:
    """Return forward, loss, backward and step, with nothing around them."""
    loss_of = nn.CrossEntropyLoss()

    def step(images: Tensor, labels: Tensor) -> None:
        optimizer.zero_grad()
        with torch.autocast(images.device.type, precision, enabled=precision != torch.float32):
            loss = loss_of(model(images), labels)
        loss.backward()
        optimizer.step()

    return step


class TransformedImages(Dataset[tuple[Tensor, Tensor]]):
    """Images with random crop and flip, one at a time, as the tutorials do it."""

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
