"""What the step of a batch makes smaller: the loss of the model's outputs, and the penalties on its weights."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tuner.hyperparameters.table import Hyperparameters
from tuner.training.layers.concrete import concrete_penalty
from tuner.training.losses import LOSSES
from tuner.training.penalties import penalty

#: Normalized images [B, C, H, W] and targets (int64 [B] or probabilities [B, classes]) to the objective, [].
Objective = Callable[[Tensor, Tensor], Tensor]


def build(
    hyperparameters: Hyperparameters, model: nn.Module, autocast: torch.autocast, images_per_epoch: int
) -> Objective:
    """Return the objective of a trial. The optimizer's weight decay and proximal steps have no gradient in it.

    Args:
        hyperparameters: Loss, penalties and kind of dropout.
        model: What is trained.
        autocast: The context of the forward pass; loss and penalties are float32.
        images_per_epoch: Number of training images.
    """
    loss_of = LOSSES[hyperparameters.loss.loss](hyperparameters.penalties)
    on_weights = penalty(hyperparameters.penalties, model)
    compiled = torch.compile(model, dynamic=False) if hyperparameters.stability.compile else model
    learns_rates = hyperparameters.dropout.dropout_kind == "concrete"

    def objective(images: Tensor, targets: Tensor) -> Tensor:
        with autocast:
            # Any other size, of which there is one an epoch at most, would be compiled anew.
            logits = compiled(images) if len(images) == hyperparameters.budget.batch_size else model(images)
        loss = loss_of(logits.float(), targets) + on_weights()
        return loss + concrete_penalty(model, images_per_epoch) if learns_rates else loss

    return objective
