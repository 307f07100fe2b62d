"""The exponential moving average of a model's weights, which is evaluated and kept in the model's place."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class WeightAverage:
    """Averages weights and buffers over steps: average <- d average + (1 - d) value (Polyak and Juditsky 1992).

    In step t (from 1) d is min(decay, (1 + t) / (10 + t)), as in TensorFlow's ExponentialMovingAverage, so that the
    random initial weights are soon forgotten. Buffers of real numbers are averaged like weights: the statistics of
    norms belong to the averaged weights. Buffers of integers are copied.

    Args:
        model: What is trained, on its device.
        decay: ``ema_decay``; None for no average.
    """

    def __init__(self, model: nn.Module, decay: float | None) -> None:
        self._model = model
        self._decay = decay
        self._steps = 0
        self._average = model if decay is None else copy.deepcopy(model).requires_grad_(False)
        pairs = list(zip(_tensors(self._average), _tensors(model), strict=True))
        self._real = [pair for pair in pairs if pair[0].is_floating_point()]
        self._whole = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self) -> None:
        """Go on after one step of the model."""
        if self._decay is None:
            return
        self._steps += 1
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        torch._foreach_lerp_([average for average, _ in self._real], [value for _, value in self._real], 1 - decay)

    @torch.no_grad()
    def model(self) -> nn.Module:
        """Return the average as it is now, to be evaluated; the model itself where nothing is averaged."""
        for average, value in self._whole:
            average.copy_(value)
        return self._average

    def state_dict(self) -> dict[str, Any]:
        """Return the average and the number of its steps; nothing where nothing is averaged."""
        return {} if self._decay is None else {"steps": self._steps, "average": self._average.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where ``state_dict`` was taken."""
        if self._decay is not None:
            self._steps = state["steps"]
            self._average.load_state_dict(state["average"])


def _tensors(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]
