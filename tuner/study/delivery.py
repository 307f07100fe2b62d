"""Data and pretrained weights on the nodes of a cluster: each node fetches them once from the driver's.

An actor on the driver's node hands out files in pieces. A process that needs a data set looks into its node's cache
first; what is missing is fetched under the cache's lock, so that one process of a node fetches and the others wait.
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from filelock import FileLock

from tuner.datasets.cache import Cache, cache_folder
from tuner.datasets.entry import FILES
from tuner.datasets.prepared import PreparedData
from tuner.facts.errors import StorageError
from tuner.study.job import Job
from tuner.study.weights import Weights

PIECE_BYTES = 8 * 2**20
_AHEAD = 3  # pieces under way while one is written
_ANSWER_SECONDS = 15.0  # for a number, from a machine that does much else besides

_ACTOR = "depot"  # in the namespace of the driver, which is its own


class Depot:
    """Hands out files of the node that it runs on, and counts what it hands out.

    Args: parcels: name of each data set or weights to its files, by their names.
    """

    def __init__(self, parcels: Mapping[str, Mapping[str, Path]]) -> None:
        self._parcels = parcels
        self._sent: dict[str, int] = {}

    def sizes(self, parcel: str) -> dict[str, int]:
        """Return the files of a parcel with their sizes in bytes."""
        return {name: path.stat().st_size for name, path in self._parcels[parcel].items()}

    def piece(self, parcel: str, name: str, start: int, node: str) -> bytes:
        """Return at most ``PIECE_BYTES`` of a file, from byte ``start`` on; ``node`` is who asks."""
        with self._parcels[parcel][name].open("rb") as file:
            file.seek(start)
            found = file.read(PIECE_BYTES)
        self._sent[node] = self._sent.get(node, 0) + len(found)
        return found

    def sent(self) -> dict[str, int]:
        """Return how many bytes each node was sent."""
        return self._sent


@contextlib.contextmanager
def depot(prepared: PreparedData | None, weights: tuple[Weights, ...], notice: Callable[[str], None]) -> Iterator[str]:
    """Hand data and weights out to the nodes of the cluster until the end of the block; yields the driver's node.

    Args:
        prepared: The decoded data set; None for one's own trainable.
        weights: The pretrained weights.
        notice: Told how much was sent.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    home = ray.get_runtime_context().get_node_id()
    parcels = {item.fingerprint: {item.path.name: item.path} for item in weights}
    if prepared is not None:
        parcels[prepared.fingerprint] = {
            name: prepared.folder / name for name in FILES if (prepared.folder / name).exists()
        }
    if not parcels:
        yield home
        return
    options = {"num_cpus": 0, "max_restarts": -1, "max_task_retries": -1, "name": _ACTOR}
    here = NodeAffinitySchedulingStrategy(home, soft=False)
    actor = ray.remote(Depot).options(**options, scheduling_strategy=here).remote(parcels)
    try:
        yield home
        with contextlib.suppress(Exception):  # the cluster may be gone
            _tell(ray.get(actor.sent.remote(), timeout=_ANSWER_SECONDS), notice)
    finally:
        with contextlib.suppress(Exception):
            ray.kill(actor)


def _tell(sent: Mapping[str, int], notice: Callable[[str], None]) -> None:
    if sent:
        nodes = "1 node" if len(sent) == 1 else f"{len(sent)} nodes"
        notice(f"sent {sum(sent.values()) / 1e6:,.1f} MB of data to {nodes}, once to each")


@lru_cache(maxsize=1)
def data_here(job: Job) -> PreparedData:
    """Return the data set of a job as it lies on this process's node.

    Raises:
        StorageError: It cannot be fetched, or the node's cache folder cannot be written.
    """
    assert job.prepared is not None, "one's own trainable has no data of ours"
    if _at_home(job):
        return job.prepared
    cache, fingerprint = Cache(cache_folder()), job.prepared.fingerprint
    if (found := cache.entry(fingerprint)) is not None:
        return found
    with _naming_the_node(), cache.locked():  # the others of this node wait here
        return cache.entry(fingerprint) or cache.take_in(fingerprint, lambda folder: _fetch(fingerprint, folder))


def weights_here(job: Job, model: str) -> Path:
    """Return the file of an architecture's pretrained weights on this process's node.

    Raises:
        StorageError: It cannot be fetched, or the node's cache folder cannot be written.
    """
    weights = job.weights_of(model)
    if _at_home(job):
        return weights.path
    folder = cache_folder() / "weights" / weights.fingerprint
    path = folder / weights.path.name
    if path.exists():
        return path
    with _naming_the_node():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / ".lock"):
                if not path.exists():
                    _fetch_weights(weights, folder)
        except OSError as error:
            raise StorageError(f"the cache folder {folder} cannot be written: {error.strerror or error}") from error
    return path


def _fetch_weights(weights: Weights, folder: Path) -> None:
    beside = folder / ".new"
    beside.mkdir(exist_ok=True)
    _fetch(weights.fingerprint, beside)
    arrived = beside / weights.path.name
    with arrived.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != weights.fingerprint:
            raise StorageError(f"the weights of {weights.model} changed on the driver's node while they were sent")
    arrived.replace(folder / weights.path.name)


def node_name(job: Job) -> str:
    """Return what tells the node of this process from the others of its search.

    On a cluster that is Ray's id of the node, since several may run on one machine.
    """
    return platform.node() if job.home is None else _node()


def _at_home(job: Job) -> bool:
    return job.home is None or job.home == _node()


def _node() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())


def _fetch(parcel: str, folder: Path) -> None:
    """Fetch the files of a parcel into a folder.

    Raises:
        OSError: They cannot be written.
        StorageError: The driver's node does not hand them out.
    """
    import ray
    from ray.exceptions import RayError

    try:
        actor = ray.get_actor(_ACTOR)
        for name, size in ray.get(actor.sizes.remote(parcel)).items():
            _fetch_file(actor, parcel, name, size, folder / name)
    except (RayError, ValueError) as error:  # ValueError: there is no such actor
        raise StorageError(f"the driver's node does not hand out its data: {' '.join(str(error).split())}") from error


def _fetch_file(actor: Any, parcel: str, name: str, size: int, target: Path) -> None:
    import ray

    node = _node()
    under_way: deque[Any] = deque()
    starts = iter(range(0, size, PIECE_BYTES))
    with target.open("wb") as file:
        while True:
            while len(under_way) < _AHEAD and (start := next(starts, None)) is not None:
                under_way.append(actor.piece.remote(parcel, name, start, node))
            if not under_way:
                return
            file.write(ray.get(under_way.popleft()))


@contextlib.contextmanager
def _naming_the_node() -> Iterator[None]:
    try:
        yield
    except StorageError as error:
        raise StorageError(f"on the node {platform.node()} {error}") from error
