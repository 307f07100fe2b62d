"""The events of a search, and their one-line JSON form.

A line is an object with ``v`` (format version), ``type``, ``n`` (number of the trial, or null), ``attempt`` (from 1,
or null), the event's own keys, and ``crc``: CRC-32 of the line without it, in eight hexadecimal digits. Times are
seconds since the epoch, UTC.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from tuner.facts.records import Decision, Origin, State
from tuner.journal.values import READERS, file_name, moment, or_none

FORMAT_VERSION = 1

_TAIL_LENGTH = len(b',"crc":"00000000"}')


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One fact about a search. ``n`` and ``attempt`` are null for facts about the search as a whole."""

    type: ClassVar[str]

    at: float
    n: int | None = None
    attempt: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Open(Event):
    """A driver took the search up: the first one, or one that resumed it.

    Attributes:
        slots: How many trials may run side by side.
        trials: How many are to be proposed in all.
        gpus: How many each of them holds, or which share of one.
    """

    type: ClassVar[str] = "open"

    slots: int
    trials: int
    gpus: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask(Event):
    """A configuration was proposed; its first attempt may start once this is on disk."""

    type: ClassVar[str] = "ask"

    n: int
    attempt: int = 1
    config: dict[str, Any]
    origin: Origin


@dataclass(frozen=True, kw_only=True, slots=True)
class Retry(Event):
    """A further attempt may start, because the one before was lost with its process or its driver."""

    type: ClassVar[str] = "retry"

    n: int
    attempt: int
    reason: str
    lost: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Start(Event):
    """A worker told that an attempt began; ``at`` is the worker's clock."""

    type: ClassVar[str] = "start"

    n: int
    attempt: int
    node: str
    device: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Epoch(Event):
    """One report of a trial.

    Attributes:
        epoch: From 1.
        score: The search's metric; finite.
        metrics: Everything else that was reported, each finite or null.
        seconds: Wall-clock time of the step in the worker.
        memory_mb: Peak memory of the attempt so far.
        checkpoint: Name of the durable checkpoint below the trial's checkpoint folder, or null.
    """

    type: ClassVar[str] = "epoch"

    n: int
    attempt: int
    epoch: int
    score: float
    metrics: dict[str, float | None]
    seconds: float
    memory_mb: float | None
    checkpoint: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rung(Event):
    """The scheduler judged a trial at a rung."""

    type: ClassVar[str] = "rung"

    n: int
    attempt: int
    epoch: int
    value: float
    decision: Decision


@dataclass(frozen=True, kw_only=True, slots=True)
class End(Event):
    """A trial ended for good."""

    type: ClassVar[str] = "end"

    n: int
    attempt: int
    state: State
    stop_reason: str
    error: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Extend(Event):
    """More trials are wanted than before.

    Attributes:
        trials: How many in all; no later driver wants fewer.
        request: Name of the request file that asked for it, so that it is taken in once; None where there was none.
    """

    type: ClassVar[str] = "extend"

    trials: int
    request: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Add(Event):
    """A configuration was given to a search that had begun; the next proposals are those given, in order.

    Attributes:
        config: Full or partial; the sampler chooses what is left out.
        trials: As in ``Extend``.
        request: As in ``Extend``.
    """

    type: ClassVar[str] = "add"

    config: dict[str, Any]
    trials: int
    request: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Respace(Event):
    """The search's space changed; what it is stands in search.json.

    Attributes:
        stage: Which of the spaces it is, from 1; the one that the search began with is 0.
        renamed: Old name to new name of parameters, in the configurations of all trials so far.
        dropped: Of the given configurations that wait, the places of those that do not lie in the new space, from 0.
    """

    type: ClassVar[str] = "respace"

    stage: int
    renamed: dict[str, str]
    dropped: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Close(Event):
    """A driver let go of the search in good order; ``seconds`` is how long it had been at it."""

    type: ClassVar[str] = "close"

    reason: str
    seconds: float


EVENTS: dict[str, type[Event]] = {
    event.type: event for event in (Open, Extend, Add, Respace, Ask, Retry, Start, Epoch, Rung, End, Close)
}

#: How each value of each event is read; whoever wrote the line, an event holds what its class says.
_FIELDS: dict[str, dict[str, Callable[[Any], Any]]] = {
    event.type: {item.name: READERS[str(item.type)] for item in fields(event)} for event in EVENTS.values()
}
_FIELDS["epoch"]["checkpoint"] = or_none(file_name)
#: Values that a line of an earlier version may lack.
_LATER = {"open": {"gpus"}}
for _fields in _FIELDS.values():
    _fields["at"] = moment


def values_of(event: Event) -> dict[str, Any]:
    """Return an event's values by name, in the order of its line."""
    return {name: getattr(event, name) for name in _FIELDS[event.type]}


def encode(event: Event) -> bytes:
    """Return an event's line, newline included.

    Raises:
        ValueError: A number in it is not finite, or a value is not JSON.
    """
    record: dict[str, Any] = {"v": FORMAT_VERSION, "type": event.type, **values_of(event)}
    try:
        body = json.dumps(record, allow_nan=False, separators=(",", ":")).encode()
    except TypeError as error:
        raise ValueError(str(error)) from error
    return body[:-1] + _tail(body) + b"\n"


def decode(line: bytes) -> Event:
    """Return the event of a line (its newline is optional).

    Raises:
        ValueError: The line is not one that ``encode`` wrote, or of a later format version. A checksum keeps nobody
            from writing lines by hand, so that values are looked at as well.
    """
    line = line.rstrip(b"\n")
    body, tail = line[:-_TAIL_LENGTH] + b"}", line[-_TAIL_LENGTH:]
    if tail != _tail(body):
        raise ValueError("its checksum does not match")
    record = json.loads(body)
    if record.pop("v", None) != FORMAT_VERSION:
        raise ValueError("it is of a format version that this program does not know")
    kind = record.pop("type", None)
    readers = _FIELDS.get(kind) if isinstance(kind, str) else None
    if readers is None or readers.keys() - _LATER.get(kind, set()) - record.keys() or record.keys() - readers.keys():
        raise ValueError("it is of a type that this program does not know")
    return EVENTS[kind](**{name: _read(name, read, record[name]) for name, read in readers.items() if name in record})


def _read(name: str, read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"its '{name}' is not what it can be") from error


def _tail(body: bytes) -> bytes:
    """Return what takes the place of a body's closing brace: its checksum."""
    return b',"crc":"%08x"}' % zlib.crc32(body)
