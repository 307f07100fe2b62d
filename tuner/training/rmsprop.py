"""RMSprop whose step can be called off on the device. PyTorch has no fused one, which could by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, optim


class RMSprop(optim.RMSprop):
    """torch.optim.RMSprop; where ``found_inf``, if given, is 1, a step leaves weights and averages as they were.

    The averages exist from the start, so that the first step can be called off as well.

    Attributes:
        found_inf: [], 0 or 1, on the parameters' device; the same name as in PyTorch's fused optimizers.
    """

    found_inf: Tensor | None = None

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        for group in self.param_groups:
            names = ["square_avg"]
            names += ["momentum_buffer"] if group["momentum"] > 0 else []
            names += ["grad_avg"] if group["centered"] else []
            for parameter in group["params"]:
                self.state[parameter] = {"step": torch.zeros(())}
                self.state[parameter].update({name: torch.zeros_like(parameter) for name in names})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # nothing here evaluates a closure
        """Make one step, or none where ``found_inf`` is 1."""
        if self.found_inf is None:
            super().step()
            return
        before = [(tensor, tensor.clone()) for tensor in self._changed()]
        super().step()
        called_off = self.found_inf > 0
        for tensor, kept in before:
            tensor.copy_(torch.where(called_off, kept, tensor))

    def _changed(self) -> Iterator[Tensor]:
        # The count of steps is left out: it lies on the CPU, and no number depends on it.
        for parameter, state in self.state.items():
            yield parameter
            yield from (value for name, value in state.items() if name != "step")
