"""The functions between layers. A new one is one entry in ``ACTIVATIONS`` and one test class."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from tuner.training.layers.walk import replace

#: What takes the place of a network's own activation; with PyTorch's defaults.
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "prelu": nn.PReLU,  # one slope for each place where it stands
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}

#: What networks bring. Sigmoid and Hardsigmoid are not among them: there they are gates (squeeze and excitation).
OWN_ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.Hardswish, nn.SiLU, nn.GELU)


def set_activation(model: nn.Module, name: str) -> None:
    """Replace each activation of a model; ``default`` keeps the architecture's own."""
    if name != "default":
        replace(model, OWN_ACTIVATIONS, lambda _: ACTIVATIONS[name]())
