"""What a worker process that runs one trial after another resets of PyTorch between them."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable

import numpy as np
import torch

_OUT_OF_MEMORY_TEXTS = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
)

#: What a fresh process has; a trial may have changed any of it.
_RESETS: tuple[Callable[[], object], ...] = (
    lambda: torch.set_default_dtype(torch.float32),
    lambda: torch.set_default_device(None),
    lambda: torch.set_grad_enabled(True),
    lambda: torch.autograd.set_detect_anomaly(False),
    lambda: torch.set_float32_matmul_precision("highest"),
    lambda: torch.set_flush_denormal(False),
    lambda: setattr(torch.backends.cudnn, "enabled", True),
    lambda: setattr(torch.backends.cudnn, "benchmark", False),
    lambda: setattr(torch.backends.cudnn, "deterministic", False),
    lambda: setattr(torch.backends.mkldnn, "enabled", True),
)


def reset_process(threads: int, seed: int = 0) -> None:
    """Make a reused process like a fresh one: random numbers, precision, gradient mode, backend flags, threads, memory.

    Args:
        threads: CPU threads of PyTorch's operations, at least 1.
        seed: For the global generators of Python, numpy and PyTorch, which a user's own trainable may draw from.
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    for reset in _RESETS:
        reset()
    if torch.are_deterministic_algorithms_enabled():  # the setter imports torch's compiler: a second
        torch.use_deterministic_algorithms(False)
    if "torch._dynamo" in sys.modules:  # what earlier trials compiled counts against a limit, after which nothing is
        torch.compiler.reset()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def limit_gpu_memory(fraction: float) -> None:
    """Let this process allocate at most this share of its GPU's memory, above 0 and at most 1.

    A trial that shares a GPU and wants more gets an out-of-memory error of its own instead of causing its neighbour's.
    """
    torch.cuda.set_per_process_memory_fraction(fraction)


def is_out_of_memory(exception: BaseException) -> bool:
    """Return whether an exception says that a GPU's or the machine's memory was not enough."""
    if isinstance(exception, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(exception, RuntimeError) and any(text in str(exception) for text in _OUT_OF_MEMORY_TEXTS)
