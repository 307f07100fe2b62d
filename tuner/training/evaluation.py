"""Measuring a model: plain cross-entropy and accuracy in eval mode, whatever the trial optimizes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
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
    """What a trial's model reaches after an epoch, on clean training images and on the validation images, if any.

    Args:
        data: The images; the training images measured are those of ``clean_training_images``.
        normalize: The trial's normalization.
    """

    def __init__(self, data: TrainingData, normalize: Normalize) -> None:
        self._parts = {"train": clean_training_images(data)}
        if data.has_validation:
            self._parts["val"] = (data.validation_images, data.validation_labels)
        self._normalize = normalize

    def __call__(self, model: nn.Module) -> Tensor:
        """Return what ``scores`` needs, float64, on the device: to be read together with other numbers."""
        return torch.cat([loss_and_accuracy(model, *part, self._normalize) for part in self._parts.values()])

    def scores(self, numbers: Sequence[float]) -> dict[str, float]:
        """Return loss (nats) and accuracy of each part, and with validation images the generalization gap.

        Args:
            numbers: Those of a call.

        Raises:
            DivergedError: A loss is not finite.
        """
        scores: dict[str, float] = {}
        for part, loss, accuracy in zip(self._parts, numbers[::2], numbers[1::2], strict=True):
            if not math.isfinite(loss):
                raise DivergedError("the loss in evaluation is not finite")
            scores |= {f"{part}_loss": loss, f"{part}_accuracy": accuracy}
        if "val" in self._parts:
            scores["generalization_gap"] = scores["train_accuracy"] - scores["val_accuracy"]
        return scores


@torch.no_grad()
def loss_and_accuracy(model: nn.Module, images: Tensor, labels: Tensor, normalize: Normalize) -> Tensor:
    """Return mean cross-entropy (nats) and accuracy over images, which get normalization alone: float64 [2].

    Args:
        model: Left in the mode that it was in.
        images: uint8 [N, C, H, W].
        labels: int64 [N].
        normalize: The trial's normalization.
    """
    sums = torch.zeros(2, dtype=torch.float64, device=images.device)
    with eval_mode(model):
        for some_images, some_labels in zip(images.split(_BATCH), labels.split(_BATCH), strict=True):
            logits = model(normalize(some_images)).float()
            loss = functional.cross_entropy(logits, some_labels, reduction="sum")
            sums += torch.stack([loss, (logits.argmax(1) == some_labels).sum()])
    return sums / len(labels)


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

    A stratified subset, the same for every trial: as many as there are validation images, if any, at most 5,000.

    Returns:
        Images uint8 [K, C, H, W] and labels int64 [K].
    """
    total = len(data.train_labels)
    count = min(total, len(data.validation_labels) or total, _MOST_CLEAN_IMAGES)
    shuffled = torch.randperm(total, generator=torch.Generator().manual_seed(0))
    by_class = shuffled[torch.argsort(data.train_labels.cpu()[shuffled], stable=True)]
    # Every total/count-th image of those sorted by class: each class keeps its share, rounded up or down.
    chosen = by_class[torch.arange(count) * total // count].to(data.train_labels.device)
    return data.train_images[chosen], data.train_labels[chosen]
