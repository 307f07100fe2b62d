"""What one hyperparameter of a built-in trainable is: meaning, unit, bounds, default, source, where it applies.

``tuner.hyperparameters`` declares the fields, ``tuner.space`` checks a search file against them, and docs,
JSON Schema and error texts are made from them. Standard library only, so that checking a file stays fast.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from typing import Any


class Kind(Enum):
    """The type of a field's value."""

    REAL = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    TEXT = "text"
    INTEGERS = "array"


@dataclass(frozen=True)
class Rule:
    """What must hold between the values of several fields.

    Attributes:
        says: One sentence for people, such as ``norm_groups must divide the channels of every norm``.
        names: The fields it is about; where one of them does not apply the rule holds.
        test: A configuration that holds these fields, and those of ``reads`` that apply, to whether the rule holds.
        reads: Further fields that decide; absent from the configuration where they do not apply.
    """

    says: str
    names: frozenset[str]
    test: Callable[[Mapping[str, Any]], bool]
    reads: frozenset[str] = frozenset()

    def holds(self, config: Mapping[str, Any]) -> bool:
        """Return whether a configuration, active fields alone and defaults filled in, keeps the rule."""
        return not self.names <= config.keys() or self.test(config)


@dataclass(frozen=True)
class Field:
    """One hyperparameter.

    Attributes:
        name: Its name in YAML, Python, Parquet and docs.
        kind: The type of its value. A REAL accepts Python ints; a BOOLEAN is no INTEGER; INTEGERS is a list of
            integers, each above the one before.
        default: Its value where a file leaves it out. None means off, and is allowed only where the default is None.
        meaning: One sentence.
        unit: ``epochs``, ``images``, ``pixels``, ...; empty for a pure number.
        minimum: Smallest value, of INTEGERS each; None for no bound.
        maximum: Largest value, of INTEGERS each; None for no bound.
        above: Whether ``minimum`` itself is out of bounds.
        below: Whether ``maximum`` itself is out of bounds.
        choices: The values of a CHOICE.
        applies: Parent name to the parent's values under which this field has an effect; all must hold.
        default_by: Parent name to (parent's value to default), where the default depends on a parent.
        rules: What must hold between this field and others, beyond ``applies``.
        source: The paper, formula or PyTorch name behind it.
        group: The heading under which it is documented.
    """

    name: str
    kind: Kind
    default: Any
    meaning: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    above: bool = False
    below: bool = False
    choices: tuple[str, ...] = ()
    applies: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    default_by: Mapping[str, Mapping[Any, Any]] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    source: str = ""
    group: str = ""

    @property
    def bounds(self) -> str:
        """Return the allowed values in words, as docs and error texts say them."""
        if self.kind is Kind.CHOICE:
            return "one of " + ", ".join(self.choices)
        if self.kind is Kind.BOOLEAN:
            return "true or false"
        if self.kind is Kind.TEXT:
            return "text"
        parts = []
        if self.minimum is not None:
            parts.append(f"{'above' if self.above else 'at least'} {self.minimum:.15g}")
        if self.maximum is not None:
            parts.append(f"{'below' if self.below else 'at most'} {self.maximum:.15g}")
        words = _WORDS[self.kind]
        return " ".join([words, " and ".join(parts)]).strip()

    def problem(self, value: object) -> str | None:
        """Return what is wrong with a value, as the end of a sentence that begins with the name; None if it fits."""
        if value is None and self.default is None:
            return None
        allowed = self.bounds + (" or null" if self.default is None else "")
        if not self._has_kind(value) or not self._in_bounds(value):
            return f"must be {allowed}, not {_spelled(value)}"
        return None

    def default_for(self, config: Mapping[str, object]) -> Any:
        """Return the default under a configuration, whose parents must already be present."""
        for parent, by_value in self.default_by.items():
            if config.get(parent) in by_value:
                return by_value[config[parent]]
        return self.default

    def applies_to(self, config: Mapping[str, object]) -> bool:
        """Return whether this field has an effect under a configuration that holds its parents."""
        return all(config.get(parent) in values for parent, values in self.applies.items())

    def _has_kind(self, value: object) -> bool:
        match self.kind:
            case Kind.BOOLEAN:
                return isinstance(value, bool)
            case Kind.CHOICE | Kind.TEXT:
                return isinstance(value, str)
            case Kind.INTEGER:
                return _is_integer(value)
            case Kind.INTEGERS:
                return isinstance(value, (list, tuple)) and all(map(_is_integer, value))
            case Kind.REAL:
                return isinstance(value, (int, float)) and not isinstance(value, bool)

    def _in_bounds(self, value: Any) -> bool:
        if self.kind is Kind.CHOICE:
            return value in self.choices
        if self.kind in (Kind.BOOLEAN, Kind.TEXT):
            return True
        if self.kind is Kind.INTEGERS:
            rising = all(first < second for first, second in pairwise(value))
            return rising and all(map(self._between, value))
        return self._between(value) and math.isfinite(value)

    def _between(self, value: float) -> bool:
        if self.minimum is not None and (value <= self.minimum if self.above else value < self.minimum):
            return False
        return self.maximum is None or (value < self.maximum if self.below else value <= self.maximum)


def condition(parent: Field, values: Sequence[object]) -> str:
    """Return in words which of a parent's values are meant: by what it is, or by what it is not if that is shorter."""
    others = [choice for choice in parent.choices if choice not in values]
    if 0 < len(others) < len(values) and len(values) > _MOST_LISTED:
        return f"{parent.name} is {'none of ' if len(others) > 1 else 'not '}{', '.join(others)}"
    return f"{parent.name} is {' or '.join(value if isinstance(value, str) else _spelled(value) for value in values)}"


_MOST_LISTED = 3
_WORDS = {Kind.INTEGER: "an integer", Kind.REAL: "a number", Kind.INTEGERS: "a list of increasing integers, each"}


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _spelled(value: object) -> str:
    """Return a value as YAML would spell it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}'" if isinstance(value, str) else str(value)
