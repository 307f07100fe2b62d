"""What a step makes smaller."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from tuner.hyperparameters.penalties import Penalties

#: Logits [B, classes] and targets (int64 [B] or probabilities [B, classes]) to their mean loss, [].
Loss = Callable[[Tensor, Tensor], Tensor]


def cross_entropy(penalties: Penalties) -> Loss:
    """H(P, Q) = -sum P log Q on logits; label smoothing mixes P with the uniform distribution.

    On mixed targets this equals lambda CE(z, y_a) + (1 - lambda) CE(z, y_b), with and without label smoothing.
    """
    return nn.CrossEntropyLoss(label_smoothing=penalties.label_smoothing)


LOSSES: dict[str, Callable[[Penalties], Loss]] = {"cross_entropy": cross_entropy}
