"""All random numbers of a trial, from its seed alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

# Dropout and initial weights draw from PyTorch's global generator, everything else from the trial's own. The two start
# 2^31 apart (seeds are smaller than that), so that they are never the same sequence.
_GLOBAL_OFFSET = 2**31


class Randomness:
    """The trial's own generator, and its private state of PyTorch's global one.

    Attributes:
        generator: Lies on the trial's device; draws order, augmentation and mixing.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self.generator = torch.Generator(device).manual_seed(seed)
        self._gpus = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices=self._gpus):
            torch.manual_seed(seed + _GLOBAL_OFFSET)
            self._remember()

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Let the global generator be the trial's for a while; the caller's state comes back afterwards."""
        with torch.random.fork_rng(devices=self._gpus):
            torch.set_rng_state(self._cpu_state)
            for gpu, state in zip(self._gpus, self._gpu_states, strict=True):
                torch.cuda.set_rng_state(state, gpu)
            yield
            self._remember()

    def state_dict(self) -> dict[str, Tensor | list[Tensor]]:
        """Return the states as uint8 tensors on the CPU."""
        return {"generator": self.generator.get_state(), "cpu": self._cpu_state, "gpus": self._gpu_states}

    def load_state_dict(self, state: Mapping[str, Tensor | list[Tensor]]) -> None:
        """Continue where ``state_dict`` was taken."""
        own, cpu, gpus = state["generator"], state["cpu"], state["gpus"]
        assert isinstance(own, Tensor) and isinstance(cpu, Tensor) and isinstance(gpus, list)
        self.generator.set_state(own)
        self._cpu_state, self._gpu_states = cpu, gpus

    def _remember(self) -> None:
        self._cpu_state = torch.get_rng_state()
        self._gpu_states = [torch.cuda.get_rng_state(gpu) for gpu in self._gpus]
