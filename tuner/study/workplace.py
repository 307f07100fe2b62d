"""What the trials of a search run on: a Ray of its own or a cluster, and data, weights and code where it needs them."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tuner.datasets.prepared import PreparedData
from tuner.facts.ray_job import JOB_VARIABLE
from tuner.space.package import code_folder, packed
from tuner.space.searchfile import SearchFile
from tuner.study.delivery import depot
from tuner.study.observer import Observer
from tuner.study.resources import Machine, running_ray, slots
from tuner.study.room import ClusterRoom
from tuner.study.weights import Weights

#: The data, None for one's own trainable, and the pretrained weights.
Prepared = tuple[PreparedData | None, tuple[Weights, ...]]


@dataclass(frozen=True)
class Workplace:
    """What trials run on, ready for them.

    Attributes:
        slots: Returns how many run side by side, as it is now.
        prepared: The data; None for one's own trainable.
        weights: The pretrained weights.
        home: See ``Job``.
    """

    slots: Callable[[], int]
    prepared: PreparedData | None
    weights: tuple[Weights, ...]
    home: str | None


@contextlib.contextmanager
def workplace(
    file: SearchFile, title: str, address: str | None, observer: Observer, prepare: Callable[[], Prepared]
) -> Iterator[Workplace]:
    """Be on a Ray, with all that trials need, until the end of the block.

    Args:
        file: The search.
        title: What people call what is run.
        address: A Ray cluster; None for a Ray of its own on this machine.
        observer: Shown what happens.
        prepare: Returns data and weights; called once it is known that some node has what a trial asks for.

    Raises:
        UsageError: The data or the nodes cannot give what is asked.
        ClusterError: Ray did not start, or the cluster cannot be joined.
        StorageError: The cache cannot be written.
    """
    doing = "starting Ray on this machine" if address is None else f"joining the Ray cluster at {address}"
    observer.notice(f"{title}: {doing}")
    with _code(file, address) as code, running_ray(address, code) as nodes:
        room = _room(file, address, nodes, observer)
        room()  # what no node has is an error before data is looked for
        prepared, weights = prepare()
        with contextlib.nullcontext() if address is None else depot(prepared, weights, observer.notice) as home:
            yield Workplace(room, prepared, weights, home)


def _room(file: SearchFile, address: str | None, nodes: tuple[Machine, ...], observer: Observer) -> Callable[[], int]:
    if address is not None:
        return ClusterRoom(file.resources, observer.notice)
    return lambda: slots(nodes, file.resources)


@contextlib.contextmanager
def _code(file: SearchFile, address: str | None) -> Iterator[Path | None]:
    """Yield a folder with a trainable of one's own, ready to be sent to the nodes of a cluster; None for none."""
    if address is None or code_folder(file) is None or _has_its_code():
        yield None
        return
    with packed(file) as package:
        yield package.folder


def _has_its_code() -> bool:
    """Return whether this process is a Ray job that was sent with a folder: its workers are in a copy of it."""
    job = json.loads(os.environ.get(JOB_VARIABLE, "{}"))
    return bool((job.get("runtime_env") or {}).get("working_dir"))
