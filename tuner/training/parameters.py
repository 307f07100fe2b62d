"""Which parameters of a model are weights, and which of them penalties hold for."""

from __future__ import annotations

from torch import nn

from tuner.hyperparameters.penalties import Penalties
from tuner.training.layers.concrete import ConcreteDropout


def is_weight(parameter: nn.Parameter) -> bool:
    """Return whether there is more than one number for each unit.

    Of norm parameters, biases and layer scales there is one, whatever their number of dimensions.
    """
    return parameter.ndim > 1 and parameter[0].numel() > 1


def penalized(penalties: Penalties, model: nn.Module) -> list[nn.Parameter]:
    """Return the trainable parameters that penalties hold for: the weights, or all if that is asked for.

    Learned dropout rates are never among them: they have a penalty of their own.
    """
    everything = penalties.decay_norms_and_biases
    rates = {module.p_logit for module in model.modules() if isinstance(module, ConcreteDropout)}
    trained = [item for item in model.parameters() if item.requires_grad and item not in rates]
    return [item for item in trained if everything or is_weight(item)]
