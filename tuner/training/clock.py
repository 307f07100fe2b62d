"""The one wait of an epoch, and the time of its training, which is measured without another one."""

from __future__ import annotations

import time

import torch
from torch import Tensor


class Stopwatch:
    """Time from its making to ``stop``, as the device sees it: a GPU goes on after the host handed out its work."""

    def __init__(self, device: torch.device) -> None:
        self._began = time.perf_counter()
        self._seconds = 0.0
        self._events = [torch.cuda.Event(enable_timing=True) for _ in range(2)] if device.type == "cuda" else []
        for event in self._events[:1]:
            event.record()

    def stop(self) -> None:
        """Let the time end when the device has done what was handed out so far."""
        self._seconds = time.perf_counter() - self._began
        for event in self._events[1:]:
            event.record()

    def seconds(self) -> float:
        """Return the time between the two; on a GPU only once it has been waited for."""
        if not self._events:
            return self._seconds
        began, ended = self._events
        return float(began.elapsed_time(ended)) / 1000


def read_together(*vectors: Tensor) -> list[list[float]]:
    """Return the numbers of vectors of one device and type, waiting for the device once."""
    numbers = iter(torch.cat(vectors).tolist())
    return [[next(numbers) for _ in range(len(vector))] for vector in vectors]
