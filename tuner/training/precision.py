"""The type that a model computes in: autocast, and for float16 a scale that keeps small gradients above zero."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from tuner.facts.errors import UsageError

#: Value of the hyperparameter to the type of autocast; weights, losses and steps are float32 in each.
PRECISIONS: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}

# PyTorch's GradScaler has the same numbers (Micikevicius et al. 2018).
_FIRST_SCALE = 2.0**16
_STEPS_TO_GROWTH = 2000
_SMALLEST_SCALE = 1.0


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """Return the context of forward passes on a device; may be entered again and again.

    ``float32`` leaves PyTorch's settings alone: on a GPU, convolutions may use TF32 then, and matrix products do not.

    Raises:
        UsageError: The device cannot compute in that type.
    """
    bfloat16_missing = device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False)
    if precision == "bfloat16" and bfloat16_missing:
        raise UsageError(f"{torch.cuda.get_device_name(device)} has no bfloat16; use precision float16 or float32")
    return torch.autocast(device.type, dtype=PRECISIONS[precision], enabled=precision != "float32")


class LossScale:
    """Multiplies the loss before its gradients are taken, and divides them again, all on the device.

    PyTorch's GradScaler waits for the device with optimizers that are not fused, and skips steps for ever where
    gradients stay infinite; here the guard of the step decides (see ``steps``).

    Args:
        enabled: Whether there is anything to scale; otherwise everything is passed through.
        device: Where the model is.
    """

    def __init__(self, device: torch.device, *, enabled: bool) -> None:
        self.enabled = enabled
        self._scale = torch.full((), _FIRST_SCALE, device=device)
        self._good_steps = torch.zeros((), device=device)

    def scaled(self, loss: Tensor) -> Tensor:
        """Return the loss to call ``backward`` on, []."""
        return loss * self._scale if self.enabled else loss

    def unscale_(self, gradients: list[Tensor]) -> None:
        """Divide gradients in place."""
        if self.enabled:
            torch._foreach_mul_(gradients, 1 / self._scale)

    def update(self, overflow: Tensor) -> Tensor:
        """Halve the scale after a step whose gradient overflowed, double it after 2,000 good steps in a row.

        Args:
            overflow: Whether the step's gradient was not finite though its loss was: bool [].

        Returns:
            Whether the scale has fallen below 1, where scaling is no longer to blame: bool [].
        """
        good = torch.where(overflow, 0, self._good_steps + 1)
        grown = good == _STEPS_TO_GROWTH
        self._scale.mul_(torch.where(overflow, 0.5, torch.where(grown, 2.0, 1.0)))
        self._good_steps.copy_(torch.where(grown, 0, good))
        return self._scale < _SMALLEST_SCALE

    def state_dict(self) -> dict[str, Tensor]:
        """Return scale and good steps, copies."""
        return {"scale": self._scale.clone(), "good_steps": self._good_steps.clone()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue where ``state_dict`` was taken."""
        self._scale.copy_(state["scale"])
        self._good_steps.copy_(state["good_steps"])
