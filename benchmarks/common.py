"""What the benchmarks share: interleaved rounds, and what they ran on."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from statistics import median


def rounds(functions: Mapping[str, Callable[[], float]], count: int) -> dict[str, float]:
    """Call all functions in turn, ``count`` times over, and return the median of what each returned.

    Interleaved, so that a machine that slows down meanwhile slows all of them.
    """
    results: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(count):
        for name, function in functions.items():
            results[name].append(function())
    return {name: median(values) for name, values in results.items()}


def versions(*packages: str) -> dict[str, str]:
    """Return Python's version and that of each package."""
    return {"python": platform.python_version(), **{package: version(package) for package in packages}}


def machine() -> dict[str, object]:
    """Return how a benchmark was called and what its figures depend upon; called before anything is measured."""
    command = shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    return {"command": command, "cpu": cpu(), "cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 1)}


def cpu() -> str:
    """Return the processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
