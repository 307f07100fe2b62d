"""Walks through a network's modules: replacing some, and finding the layer that comes next."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from torch import nn

Layer = nn.Conv2d | nn.Linear
Found = TypeVar("Found", bound=nn.Module)


def replace(model: nn.Module, kind: type[Found] | tuple[type[Found], ...], make: Callable[[Found], nn.Module]) -> None:
    """Put ``make(module)`` in the place of each module of a kind, in order of registration; the model itself stays."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, kind):
                setattr(parent, name, make(child))


def next_layers(model: nn.Module, kind: type[Found], layer: type[Layer] | None = None) -> dict[Found, Layer]:
    """Return for each module of a kind the layer with weights that reads what it gives.

    That is the next one in order of registration; of several that read it, such as a branch and its shortcut, the
    first. Modules after which none comes are left out.

    Args:
        model: The network.
        kind: The modules to look for.
        layer: ``nn.Conv2d`` or ``nn.Linear`` alone; None for both.
    """
    found: dict[Found, Layer] = {}
    waiting: list[Found] = []
    for module in model.modules():
        if isinstance(module, kind):
            waiting.append(module)
        elif isinstance(module, layer or Layer):
            found.update(dict.fromkeys(waiting, module))
            waiting = []
    return found
