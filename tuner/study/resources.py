"""The machines that a search runs on: a Ray of its own, and how many trials fit side by side."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tuner.facts.errors import ClusterError, UsageError
from tuner.space.searchfile import Resources
from tuner.study.join import WORKER_ENVIRONMENT, joined_ray
from tuner.study.own_ray import kept_private

_ENVIRONMENT = WORKER_ENVIRONMENT | {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray's own monitor ends whole searches; the kernel ends one worker, which is then retried as a lost process.
    "RAY_memory_monitor_refresh_ms": "0",
    "RAY_DEDUP_LOGS": "0",
}


@dataclass(frozen=True)
class Machine:
    """What one node offers to trials."""

    cpus: float
    gpus: float


@contextlib.contextmanager
def running_ray(address: str | None, code: Path | None = None) -> Iterator[tuple[Machine, ...]]:
    """Be on a Ray until the end of the block: one of this process's own, or a cluster; yields its nodes.

    Args:
        address: None for one of its own, else ``auto``, HOST or HOST:PORT.
        code: On a cluster, a folder that workers run in a copy of; None for none.

    Raises:
        UsageError: It is no address.
        ClusterError: Ray did not start, or the cluster cannot be joined.
    """
    with local_ray() if address is None else _joined(address, code) as found:
        yield found


@contextlib.contextmanager
def local_ray() -> Iterator[tuple[Machine, ...]]:
    """Start a Ray on this machine, for this process alone, and end it on leaving; yields its nodes.

    Raises:
        ClusterError: It did not start.
    """
    _prepare()
    import ray

    with kept_private() as folder:
        try:
            ray.init(
                address="local",  # without an address Ray joins any cluster that it finds
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.CRITICAL,
                _temp_dir=folder,
            )
        except Exception as error:
            raise ClusterError(f"Ray did not start on this machine: {error}") from error
        try:
            yield machines()
        finally:
            ray.shutdown()


@contextlib.contextmanager
def _joined(address: str, code: Path | None) -> Iterator[tuple[Machine, ...]]:
    _prepare()
    with joined_ray(address, code):
        yield machines()


def _prepare() -> None:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    logging.getLogger("ray").setLevel(logging.CRITICAL)  # what goes wrong in a trial is told once, by us


def machines() -> tuple[Machine, ...]:
    """Return the nodes of the Ray that this process is on."""
    import ray

    return tuple(
        Machine(node["Resources"].get("CPU", 0), node["Resources"].get("GPU", 0))
        for node in ray.nodes()
        if node["Alive"]
    )


def slots(nodes: tuple[Machine, ...], wanted: Resources) -> int:
    """Return how many trials run side by side.

    Raises:
        UsageError: A trial asks for more than any machine has: it would wait for ever.
    """
    cpus, gpus = wanted.cpus_per_trial, wanted.gpus_per_trial
    if gpus > 0 and not any(machine.gpus >= gpus for machine in nodes):
        most = max((machine.gpus for machine in nodes), default=0)
        none = "there is no GPU" if len(nodes) == 1 else "no node of the cluster has a GPU"
        offer = f"no machine has more than {most:g}" if most else none
        raise UsageError(f"resources.gpus_per_trial is {gpus:g}, but {offer}")
    if not any(machine.cpus >= cpus for machine in nodes):
        most = max((machine.cpus for machine in nodes), default=0)
        raise UsageError(f"resources.cpus_per_trial is {cpus:g}, but no machine has more than {most:g}")
    fitting = sum(_fit(machine, cpus, gpus) for machine in nodes)
    if fitting == 0:
        raise UsageError(f"no machine has {cpus:g} CPUs and {gpus:g} GPUs together")
    return fitting if wanted.max_concurrent is None else min(fitting, wanted.max_concurrent)


def _fit(machine: Machine, cpus: float, gpus: float) -> int:
    by_cpu = int(machine.cpus / cpus) if cpus else None
    # A share of a GPU lies on one GPU: 0.4 fits twice on each, not five times on two.
    by_gpu = None if not gpus else int(machine.gpus) * int(1 / gpus) if gpus < 1 else int(machine.gpus / gpus)
    return min(number for number in (by_cpu, by_gpu) if number is not None)
