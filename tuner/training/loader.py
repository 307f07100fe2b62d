"""The batches of an epoch as the model is given them: shuffled, augmented, normalized, mixed."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from tuner.hyperparameters.table import Hyperparameters
from tuner.training import mixing
from tuner.training.augmentation import pipeline as augmentation
from tuner.training.batches import shuffled_batches, steps_per_epoch
from tuner.training.data import TrainingData
from tuner.training.normalization import Normalize


class Loader:
    """Iterated once an epoch; makes each batch on the device when it is asked for.

    Args:
        hyperparameters: The batch size, augmentation and mixing of the trial.
        data: Its training images are read.
        normalize: The trial's normalization.
        generator: The trial's own; draws everything.
    """

    def __init__(
        self, hyperparameters: Hyperparameters, data: TrainingData, normalize: Normalize, generator: torch.Generator
    ) -> None:
        self._images, self._labels = data.train_images, data.train_labels
        self._batch_size = hyperparameters.budget.batch_size
        self._augment = augmentation.build(hyperparameters.augmentation, data)
        self._normalize = normalize
        self._mix = mixing.build(hyperparameters.mixing, len(data.classes))
        self._generator = generator

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return steps_per_epoch(len(self._labels), self._batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield images float32 [B, C, H, W] and targets: int64 [B], or probabilities [B, classes] where they mix."""
        for batch in shuffled_batches(len(self._labels), self._batch_size, self._generator):
            images = self._normalize(self._augment(self._images[batch], self._generator))
            yield self._mix(images, self._labels[batch], self._generator)
