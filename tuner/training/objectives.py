"""What the step of a batch makes smaller: the loss of the model's outputs, and the penalties on its weights."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from tuner.hyperparameters.table import Hyperparameters
from tuner.training.losses import LOSSES
from tuner.training.penalties import penalty

#: Normalized images [B, C, H, W] and targets (int64 [B] or probabilities [B, classes]) to the objective, [].
Objective = Callable[[Tensor, Tensor], Tensor]


def build(hyperparameters: Hyperparameters, model: nn.Module) -> Objective:
    """Return the objective of a trial. The optimizer's weight decay and proximal steps have no gradient in it."""
    loss_of = LOSSES[hyperparameters.loss.loss](hyperparameters.penalties)
    on_weights = penalty(hyperparameters.penalties, model)

    def objective(images: Tensor, targets: Tensor) -> Tensor:
        return loss_of(model(images), targets) + on_weights()

    return objective
