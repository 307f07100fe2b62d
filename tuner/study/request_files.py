"""Requests to the driver of a search, as files: ``requests/<kind>-<hex>.json`` in its results folder.

Those to stop and to pause are for the driver that runs; the others wait for the next one where none does.
"""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from tuner.facts.errors import StorageError, relative_to_cwd
from tuner.journal.links import regular_file
from tuner.journal.storage import write_json
from tuner.storage.copies import exists, fetch, origin

FOLDER = "requests"
FORMAT_VERSION = 1

#: Most trials that a file may ask for, as ``search.trials``.
MOST_TRIALS = 10**9

_NAME = re.compile(r"(stop|pause|extend|add)-[0-9a-f]{1,32}\.json")
_LARGEST_BYTES = 1_000_000


class Kind(StrEnum):
    """What is asked for."""

    STOP = "stop"
    PAUSE = "pause"
    EXTEND = "extend"
    ADD = "add"


@dataclass(frozen=True)
class Request:
    """What a file asks for.

    Attributes:
        name: The file's.
        kind: What is asked for.
        at: When, in seconds since the epoch.
        trials: How many more trials; 0 but for ``extend``.
        config: The configuration to propose; empty but for ``add``.
    """

    name: str
    kind: Kind
    at: float
    trials: int = 0
    config: Mapping[str, Any] = field(default_factory=dict)


def ask(folder: Path, kind: Kind, **values: Any) -> str:
    """Write a request; returns the name of its file, which the driver takes away once it has taken it in.

    Args:
        folder: The search's results folder.
        kind: What is asked for.
        values: ``trials`` of ``extend``, ``config`` of ``add``.

    Raises:
        StorageError: The request cannot be written.
    """
    requests = folder / FOLDER
    try:
        requests.mkdir(exist_ok=True)
    except OSError as error:
        raise StorageError(f"{relative_to_cwd(requests)} cannot be made: {error.strerror}") from error
    name = f"{kind}-{uuid.uuid4().hex}.json"
    write_json(requests / name, {"version": FORMAT_VERSION, "request": str(kind), "at": time.time(), **values})
    return name


def names_in(folder: Path) -> list[str]:
    """Return the names of all files in a search's folder of requests, in no order.

    Raises:
        StorageError: The object storage fails.
    """
    requests = folder / FOLDER
    if (found := origin(requests)) is None:
        return [path.name for path in requests.iterdir()] if requests.is_dir() else []
    objects, name = found
    return [stored.name for stored in objects.below(name).list()]


def kind_of(name: str) -> Kind | None:
    """Return what a file asks for, by its name; None for a file that is no request."""
    found = _NAME.fullmatch(name)
    return None if found is None else Kind(found[1])


def lasting(folder: Path) -> list[str]:
    """Return the names of the requests that wait for a driver, whenever it comes.

    Raises:
        StorageError: The object storage fails.
    """
    return [name for name in names_in(folder) if kind_of(name) in (Kind.EXTEND, Kind.ADD)]


def is_there(folder: Path, name: str) -> bool:
    """Return whether a request has not been taken away.

    Raises:
        StorageError: The object storage fails.
    """
    return exists(folder / FOLDER / name)


def read_request(folder: Path, name: str) -> Request:
    """Return what a request says.

    Raises:
        ValueError: It is not what ``ask`` wrote.
        OSError: It cannot be read.
        StorageError: The object storage fails.
    """
    kind, path = kind_of(name), folder / FOLDER / name
    if kind is None or not fetch(path) or regular_file(path).stat().st_size > _LARGEST_BYTES:
        raise ValueError(f"{name} is no request")
    try:
        record = json.loads(path.read_bytes())
        request = Request(name, kind, float(record["at"]), record.get("trials", 0), record.get("config", {}))
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{name} is no request") from error
    given = {key for key in ("trials", "config") if key in record}
    wanted = {Kind.EXTEND: {"trials"}, Kind.ADD: {"config"}}.get(kind, set())
    counted = type(request.trials) is int and 0 <= request.trials <= MOST_TRIALS
    if given != wanted or not counted or not isinstance(request.config, dict):
        raise ValueError(f"{name} is no request")
    return request
