"""How a hyperparameter is declared: a dataclass field whose metadata holds its ``Field``.

One declaration gives the typed attribute that the training reads, and the meaning, bounds and source that
docs, JSON Schema and error texts print.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from tuner.facts.fields import Field, Kind

_KEY = "field"


def real(default: float | None, meaning: str, **details: Any) -> Any:
    """Declare a REAL field; ``details`` are further attributes of ``Field``."""
    return _declare(Kind.REAL, default, meaning, details)


def integer(default: int | None, meaning: str, **details: Any) -> Any:
    """Declare an INTEGER field; ``details`` are further attributes of ``Field``."""
    return _declare(Kind.INTEGER, default, meaning, details)


def boolean(default: bool, meaning: str, **details: Any) -> Any:
    """Declare a BOOLEAN field; ``details`` are further attributes of ``Field``."""
    return _declare(Kind.BOOLEAN, default, meaning, details)


def choice(default: str, choices: tuple[str, ...], meaning: str, **details: Any) -> Any:
    """Declare a CHOICE field; ``details`` are further attributes of ``Field``."""
    return _declare(Kind.CHOICE, default, meaning, {"choices": choices, **details})


def integers(default: tuple[int, ...] | None, meaning: str, **details: Any) -> Any:
    """Declare an INTEGERS field; ``details`` are further attributes of ``Field``."""
    return _declare(Kind.INTEGERS, default, meaning, details)


def fields_of(group: type) -> tuple[Field, ...]:
    """Return the fields that a group's dataclass declares, in order, with name and group filled in."""
    return tuple(
        dataclasses.replace(item.metadata[_KEY], name=item.name, group=group.__name__)
        for item in dataclasses.fields(group)
    )


def _declare(kind: Kind, default: object, meaning: str, details: Mapping[str, Any]) -> Any:
    return dataclasses.field(
        default=default, metadata={_KEY: Field(name="", kind=kind, default=default, meaning=meaning, **details)}
    )
