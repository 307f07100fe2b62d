"""Measuring a model: plain cross-entropy and accuracy in eval mode, whatever the trial optimizes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from tuner.facts.errors import DivergedError
from tuner.training.data import TrainingData
from tuner.training.normalization import Normalize

_BATCH = 500  # images at a time: bounds memory, independent of the trial so that trials compare
_MOST_CLEAN_IMAGES = 5000


class Measure:
    """What a trial's model reaches after an epoch, on clean training images and on the validation images.

    Args:
        data: The images; the training images measured are those of ``clean_training_images``.
        normalize: The trial's normalization.
    """

    def __init__(self, data: TrainingData, normalize: Normalize) -> None:
        self._training = clean_training_images(data)
        self._validation = (data.validation_images, data.validation_labels)
        self._normalize = normalize

    def __call__(self, model: nn.Module) -> dict[str, float]:
        """Return both losses (nats) and accuracies, and the generalization gap.

        Raises:
            DivergedError: A loss is not finite.
        """
        train_loss, train_accuracy = evaluate(model, *self._training, self._normalize)
        val_loss, val_accuracy = evaluate(model, *self._validation, self._normalize)
        if not math.isfinite(train_loss + val_loss):
            raise DivergedError("the loss in evaluation is not finite")
        return {
            "train_loss": train_loss,
            "train_accuracy": train_accuracy,
            "val_loss": val_loss,
            "val_accuracy": val_accuracy,
            "generalization_gap": train_accuracy - val_accuracy,
        }


@torch.no_grad()
def evaluate(model: nn.Module, images: Tensor, labels: Tensor, normalize: Normalize) -> tuple[float, float]:
    """Return mean cross-entropy (nats) and accuracy over images, which get normalization alone.

    Args:
        model: Left in the mode that it was in.
        images: uint8 [N, C, H, W].
        labels: int64 [N].
        normalize: The trial's normalization.
    """
    sums = torch.zeros(2, dtype=torch.float64, device=images.device)
    with eval_mode(model):
        for some_images, some_labels in zip(images.split(_BATCH), labels.split(_BATCH), strict=True):
            logits = model(normalize(some_images))
            loss = functional.cross_entropy(logits, some_labels, reduction="sum")
            sums += torch.stack([loss, (logits.argmax(1) == some_labels).sum()])
    loss_sum, correct = sums.tolist()
    return loss_sum / len(labels), correct / len(labels)


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Put a model and all its modules into eval mode, and each back into its own mode afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def clean_training_images(data: TrainingData) -> tuple[Tensor, Tensor]:
    """Return the training images that train_loss and train_accuracy are measured on, without augmentation.

    A stratified subset, the same for every trial: as many as there are validation images, at most 5,000.

    Returns:
        Images uint8 [K, C, H, W] and labels int64 [K].
    """
    total = len(data.train_labels)
    count = min(total, len(data.validation_labels), _MOST_CLEAN_IMAGES)
    shuffled = torch.randperm(total, generator=torch.Generator().manual_seed(0))
    by_class = shuffled[torch.argsort(data.train_labels.cpu()[shuffled], stable=True)]
    # Every total/count-th image of those sorted by class: each class keeps its share, rounded up or down.
    chosen = by_class[torch.arange(count) * total // count].to(data.train_labels.device)
    return data.train_images[chosen], data.train_labels[chosen]
