"""Fine-tuning: which parameters are the head's, and a backbone that stays as it is."""

from __future__ import annotations

from torch import nn

from tuner.training.models.head import Head


def head_parameters(model: nn.Module) -> list[nn.Parameter]:
    """Return the parameters of the last layer; all others are the backbone's."""
    return list(_head(model).parameters())


def freeze_backbone(model: nn.Module) -> None:
    """Leave gradients to the head alone."""
    model.requires_grad_(False)
    _head(model).requires_grad_(True)


def set_training_mode(model: nn.Module, frozen: bool) -> None:
    """Put a network into training mode, a frozen backbone into evaluation mode.

    A frozen backbone is a fixed function: its norms keep their running statistics and nothing in it is dropped.

    Args:
        model: The network.
        frozen: Whether the backbone is frozen.
    """
    model.train(not frozen)
    _head(model).train()


def _head(model: nn.Module) -> Head:
    return next(module for module in model.modules() if isinstance(module, Head))
