"""The values of an event, looked at one by one: a checksum keeps nobody from writing lines by hand."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from tuner.facts.records import Decision, Origin, State

T = TypeVar("T")

_LARGEST = 2**63 - 1  # of a Parquet column
_YEAR_10000 = 253_402_300_800
_NAME = re.compile(r"\w[\w.-]*", re.ASCII)


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= _LARGEST:
        raise ValueError
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError
    return float(value)


def _instance(kind: type[T]) -> Callable[[Any], T]:
    def read(value: Any) -> T:
        if not isinstance(value, kind):
            raise ValueError
        return value

    return read


def _numbers(value: Any) -> dict[str, float | None]:
    return {name: or_none(_number)(item) for name, item in _config(value).items()}


def _config(value: Any) -> dict[str, Any]:
    """Return a mapping whose names are one object each: a long log names the same things in all its lines."""
    return {sys.intern(name): item for name, item in _instance(dict)(value).items()}


def _texts(value: Any) -> dict[str, str]:
    return {name: _instance(str)(item) for name, item in _instance(dict)(value).items()}


def _places(value: Any) -> tuple[int, ...]:
    return tuple(map(_whole, _instance(list)(value)))


def moment(value: Any) -> float:
    """Return seconds since 1970 that a calendar knows."""
    if not 0 <= (seconds := _number(value)) < _YEAR_10000:
        raise ValueError
    return seconds


def or_none(read: Callable[[Any], T]) -> Callable[[Any], T | None]:
    """Return what reads null as well."""
    return lambda value: None if value is None else read(value)


def file_name(value: Any) -> str:
    """Return the name of a file or folder, which leads nowhere else."""
    if _NAME.fullmatch(_instance(str)(value)) is None:
        raise ValueError
    return str(value)


#: Annotation of an event's field to what reads it: returns the value, or raises ValueError or OverflowError.
READERS: dict[str, Callable[[Any], Any]] = {
    "int": _whole,
    "int | None": or_none(_whole),
    "float": _number,
    "float | None": or_none(_number),
    "str": _instance(str),
    "str | None": or_none(_instance(str)),
    "bool": _instance(bool),
    "dict[str, Any]": _config,
    "dict[str, float | None]": _numbers,
    "dict[str, str]": _texts,
    "tuple[int, ...]": _places,
    "Origin": Origin,
    "State": State,
    "Decision": Decision,
}
