"""Which parameters of a model are weights, and which of them penalties hold for."""

from __future__ import annotations

from torch import nn

from tuner.hyperparameters.penalties import Penalties


def is_weight(parameter: nn.Parameter) -> bool:
    """Return whether there is more than one number for each unit.

    Of norm parameters, biases and layer scales there is one, whatever their number of dimensions.
    """
    return parameter.ndim > 1 and parameter[0].numel() > 1


def penalized(penalties: Penalties, model: nn.Module) -> list[nn.Parameter]:
    """Return the trainable parameters that l1, l2 and max_norm hold for: the weights, or all if that is asked for."""
    everything = penalties.decay_norms_and_biases
    return [item for item in model.parameters() if item.requires_grad and (everything or is_weight(item))]
