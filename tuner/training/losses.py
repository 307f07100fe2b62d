"""What a step makes smaller. A new loss is one entry in ``LOSSES`` and one test class.

Targets of mixed or smoothed labels are probabilities. For cross-entropy that equals the mixture of the losses; for mse
it differs from it by a constant, and for rmse it is what is meant: one root over one error.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from tuner.hyperparameters.penalties import Penalties

_INSIDE_ROOT = 1e-12  # the root's slope is infinite at an error of zero

#: Logits [B, classes] and targets (int64 [B] or probabilities [B, classes]) to their mean loss, [].
Loss = Callable[[Tensor, Tensor], Tensor]


def cross_entropy(penalties: Penalties) -> Loss:
    """H(P, Q) = -sum P log Q on logits; label smoothing mixes P with the uniform distribution.

    On mixed targets this equals lambda CE(z, y_a) + (1 - lambda) CE(z, y_b), with and without label smoothing.
    """
    return nn.CrossEntropyLoss(label_smoothing=penalties.label_smoothing)


def mse(penalties: Penalties) -> Loss:
    """Mean of (Q - P)^2 over images and classes, Q the softmax of the logits."""

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        return mean_squared_error(logits.softmax(1), probabilities(targets, logits, penalties.label_smoothing))

    return loss


def rmse(penalties: Penalties) -> Loss:
    """sqrt(mse + 1e-12) of the batch."""
    squared = mse(penalties)

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        return (squared(logits, targets) + _INSIDE_ROOT).sqrt()

    return loss


LOSSES: dict[str, Callable[[Penalties], Loss]] = {"cross_entropy": cross_entropy, "mse": mse, "rmse": rmse}


def mean_squared_error(predicted: Tensor, targets: Tensor) -> Tensor:
    """Return the mean squared difference, [], of two tensors of one shape.

    Raises:
        ValueError: The shapes differ; PyTorch would broadcast them with a warning at most.
    """
    if predicted.shape != targets.shape:
        raise ValueError(f"predictions of shape {tuple(predicted.shape)} have targets of shape {tuple(targets.shape)}")
    return functional.mse_loss(predicted, targets)


def probabilities(targets: Tensor, logits: Tensor, smoothing: float) -> Tensor:
    """Return targets as probabilities, a share of ``smoothing`` of them spread evenly over the classes.

    Args:
        targets: int64 [B], which become one-hot, or probabilities [B, classes].
        logits: [B, classes]; only its shape and type count.
        smoothing: From 0 to 1.
    """
    if not targets.is_floating_point():
        targets = torch.zeros_like(logits).scatter_(1, targets[:, None], 1.0)
    return (1 - smoothing) * targets + smoothing / logits.shape[1]
