"""Initial weights. A new way is one entry in ``INITS`` and one test class.

All draw from PyTorch's global generator, and fans are counted as ``torch.nn.init`` counts them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

from torch import Tensor, nn

from tuner.hyperparameters.model import Model

UNIFORM_BOUND = 0.05  # Keras' RandomUniform
TRUNCATED_STD = 0.02  # ViT (Dosovitskiy et al. 2021) and ConvNeXt

Mode = Literal["fan_in", "fan_out"]


@dataclass(frozen=True)
class Nonlinearity:
    """A function by the name that ``nn.init.calculate_gain`` knows it by, and the slope below zero of leaky_relu."""

    name: Literal["relu", "leaky_relu", "selu", "tanh", "sigmoid"]
    slope: float = 0.0

    @property
    def gain(self) -> float:
        """Return the factor of the standard deviation that keeps the variance from layer to layer."""
        return nn.init.calculate_gain(self.name, self.slope)


#: Activation to what it counts as. The relatives of relu that PyTorch has no gain for count as relu.
NONLINEARITIES: dict[type[nn.Module], Nonlinearity] = {
    **dict.fromkeys((nn.ReLU, nn.ReLU6, nn.Hardswish, nn.SiLU, nn.GELU, nn.ELU), Nonlinearity("relu")),
    nn.LeakyReLU: Nonlinearity("leaky_relu", 0.01),
    nn.PReLU: Nonlinearity("leaky_relu", 0.25),
    nn.SELU: Nonlinearity("selu"),
    nn.Tanh: Nonlinearity("tanh"),
    nn.Sigmoid: Nonlinearity("sigmoid"),
}


def _lecun_normal(weight: Tensor) -> Tensor:
    return nn.init.normal_(weight, std=math.sqrt(1 / weight[0].numel()))  # the variance is 1 / fan_in


#: Value of ``init`` to what fills a weight [out, in, ...], given the model's activation and ``init_mode``.
INITS: dict[str, Callable[[Tensor, Nonlinearity, Mode], Tensor]] = {
    "xavier_uniform": lambda weight, after, mode: nn.init.xavier_uniform_(weight, after.gain),
    "xavier_normal": lambda weight, after, mode: nn.init.xavier_normal_(weight, after.gain),
    "kaiming_uniform": lambda weight, after, mode: nn.init.kaiming_uniform_(weight, after.slope, mode, after.name),
    "kaiming_normal": lambda weight, after, mode: nn.init.kaiming_normal_(weight, after.slope, mode, after.name),
    "lecun_normal": lambda weight, after, mode: _lecun_normal(weight),
    "orthogonal": lambda weight, after, mode: nn.init.orthogonal_(weight, after.gain),
    "trunc_normal": lambda weight, after, mode: nn.init.trunc_normal_(weight, std=TRUNCATED_STD),
    "zeros": lambda weight, after, mode: nn.init.zeros_(weight),
    "uniform": lambda weight, after, mode: nn.init.uniform_(weight, -UNIFORM_BOUND, UNIFORM_BOUND),
}


def initialize(model: nn.Module, settings: Model) -> None:
    """Draw the weights of convolutions and linear layers anew and set their biases to zero; ``default`` does nothing.

    The parameters of norms and all that is no layer (the class token of a transformer) stay as they are.
    """
    if settings.init == "default":
        return
    after = next((NONLINEARITIES[type(m)] for m in model.modules() if type(m) in NONLINEARITIES), Nonlinearity("relu"))
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            INITS[settings.init](module.weight, after, cast(Mode, settings.init_mode))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
