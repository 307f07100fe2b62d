"""What comes out of each activation of a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from tuner.training.evaluation import eval_mode
from tuner.training.layers.activations import ACTIVATIONS, OWN_ACTIVATIONS

_KINDS = (*OWN_ACTIVATIONS, *(type(make()) for make in ACTIVATIONS.values()))


@dataclass(frozen=True)
class ActivationStatistics:
    """One activation on one batch, measured after it.

    Attributes:
        mean: Over images, units and positions.
        std: Likewise, the deviation of all values from that mean.
        dead_share: Share of units that are zero for every image and position.
    """

    mean: float
    std: float
    dead_share: float


@torch.no_grad()
def measure_activations(model: nn.Module, images: Tensor) -> dict[str, ActivationStatistics]:
    """Return each activation in the order in which the model calls them.

    An activation that a model calls several times, as torchvision's residual blocks do, is told apart by call:
    ``relu``, ``relu#2``. An activation that is a function and no module is not seen; gates that are an ``nn.Sigmoid``
    are.

    Args:
        model: Measured in eval mode; left in the mode that it was in.
        images: Normalized, float32 [B, C, H, W].
    """
    watch = _Watch()
    handles = [module.register_forward_hook(watch.hook(name)) for name, module in model.named_modules()]
    try:
        with eval_mode(model):
            model(images)
    finally:
        for handle in handles:
            handle.remove()
    if not watch.measured:
        return {}
    rows = torch.stack(list(watch.measured.values())).tolist()  # the only wait for the device
    return {name: ActivationStatistics(*row) for name, row in zip(watch.measured, rows, strict=True)}


class _Watch:
    """Measures outputs as they come, before a later layer may change them in place.

    Attributes:
        measured: Name of the call to mean, std and dead share, float32 [3].
    """

    def __init__(self) -> None:
        self.measured: dict[str, Tensor] = {}
        self._calls: Counter[str] = Counter()
        # Units are the outputs of the layer before: the last axis after a linear layer (in transformers and ConvNeXt
        # it works on [B, ..., units]), the channels after a convolution.
        self._unit_axis = 1

    def hook(self, name: str) -> Callable[[nn.Module, object, object], None]:
        """Return the forward hook of a module."""

        def after(module: nn.Module, inputs: object, output: object) -> None:
            if isinstance(module, (nn.Linear, _ConvNd)):
                self._unit_axis = -1 if isinstance(module, nn.Linear) else 1
            elif isinstance(module, _KINDS):
                assert isinstance(output, Tensor)
                self._calls[name] += 1
                call = self._calls[name]
                self.measured[name if call == 1 else f"{name}#{call}"] = _statistics(output, self._unit_axis)

        return after


def _statistics(output: Tensor, unit_axis: int) -> Tensor:
    output = output.float()
    dead = (output == 0).movedim(unit_axis, 0).flatten(1).all(1)
    return torch.stack([output.mean(), output.std(correction=0), dead.float().mean()])
