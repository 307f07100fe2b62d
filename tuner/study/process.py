"""The state of a worker process: reset between trials, measured, limited to its share of a GPU."""

from __future__ import annotations

import random
import sys

from tuner.study.job import Job


def reset_process(job: Job, seed: int) -> None:
    """Make a process that served other trials as good as new: seeds, threads, default type, backend flags, peaks.

    Torch is touched only where the trainable is the built-in one or has imported it.
    """
    random.seed(seed)
    if "numpy" in sys.modules:
        import numpy as np

        np.random.seed(seed % 2**32)  # the global generator is what trainables out there use
    if _uses_torch(job):
        from tuner.training import process

        process.reset_process(threads=max(1, int(job.cpus)), seed=seed)
        if 0 < job.gpus < 1:
            process.limit_gpu_memory(job.gpus)


def device_name() -> str:
    """Return ``cpu``, or the name of the GPU that this process was given."""
    if "torch" in sys.modules:
        from tuner.training import process

        return process.device_name()
    return "cpu"


def peak_memory_mb() -> float | None:
    """Return the peak memory since the last reset: on a GPU allocated, on the CPU resident."""
    from tuner.training import process

    return process.peak_memory_mb()


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory, of the host or of the GPU, ran out."""
    if isinstance(error, MemoryError):
        return True
    return "torch" in sys.modules and isinstance(error, sys.modules["torch"].OutOfMemoryError)


def _uses_torch(job: Job) -> bool:
    return job.builtin or "torch" in sys.modules
