"""The state of a worker process: reset between trials, measured, limited to its share of a GPU.

Torch is touched only where the trainable is the built-in one or has imported it: another trainable's workers start
seconds faster without it.
"""

from __future__ import annotations

import gc
import itertools
import random
import resource
import sys
from pathlib import Path

from tuner.study.job import Job

_PROC = Path("/proc/self")

_trials_served = itertools.count()


def reset_process(job: Job, seed: int) -> None:
    """Make a process that served other trials as good as new: seeds, threads, default type, backend flags, peaks."""
    _collect_garbage()
    if job.builtin or "torch" in sys.modules:
        from tuner.training import process

        process.reset_process(threads=max(1, int(job.cpus)), seed=seed)
        if 0 < job.gpus < 1:
            process.limit_gpu_memory(job.gpus)
    else:
        random.seed(seed)
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed(seed)  # the global generator is what trainables out there use
    reset_peak_memory()


def _collect_garbage() -> None:
    """Let go of what the trial before left behind, so that memory, a GPU's too, falls back.

    Nothing is collected before a first trial. What that one imported is then set aside for good: looking through
    torch's modules again would cost each further trial a fifth of a second.
    """
    served = next(_trials_served)
    if served > 0:
        gc.collect()
    if served == 1:
        gc.freeze()


def reset_peak_memory() -> None:
    """Let ``peak_memory_mb`` begin anew. Where the system does not allow it, the process's own peak carries over."""
    if _on_gpu():
        sys.modules["torch"].cuda.reset_peak_memory_stats()
    elif (_PROC / "clear_refs").exists():
        try:
            (_PROC / "clear_refs").write_text("5")  # proc(5): resets VmHWM to the present resident set
        except OSError:
            return


def peak_memory_mb() -> float:
    """Return the largest memory since ``reset_peak_memory``, in MB of 10^6 bytes.

    On a GPU what PyTorch had allocated; on the CPU the process's resident set, libraries and mapped images included.
    """
    if _on_gpu():
        return float(sys.modules["torch"].cuda.max_memory_allocated()) / 1e6
    if (_PROC / "status").exists():
        for line in (_PROC / "status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage counts bytes on macOS, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def device_name() -> str:
    """Return ``cpu``, or the name of the GPU that this process uses."""
    return str(sys.modules["torch"].cuda.get_device_name()) if _on_gpu() else "cpu"


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory, of the host or of the GPU, ran out."""
    if "torch" in sys.modules:
        from tuner.training import process

        return process.is_out_of_memory(error)
    return isinstance(error, MemoryError)


def _on_gpu() -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and bool(torch.cuda.is_initialized())
