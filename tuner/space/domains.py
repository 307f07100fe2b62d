"""What a parameter may be: a range of reals or integers, listed values, or one value.

Each domain says whether it ``contains`` a value, its ``size`` (None for infinitely many values) and its ``text`` for
people; a finite one can be iterated over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from tuner.space.nodes import equal

# Steps are decimal fractions that floats only come close to: 0.1 + 2 * 0.1 is not 0.3.
STEP_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Real:
    """Real numbers from ``low`` to ``high``, both included.

    Attributes:
        low: Smallest value; above 0 where ``log``.
        high: Largest value; a whole number of steps above ``low`` where there is a step.
        log: Whether values are drawn evenly in their logarithm.
        step: Distance of neighbours from ``low`` on; None for all reals between.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None

    def contains(self, value: object) -> bool:
        """Return whether a number, an integer as well, is in the range and on a step."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not self.low <= value <= self.high:
            return False
        return self.step is None or on_step(value - self.low, self.step)

    @property
    def size(self) -> int | None:
        """Return the number of values; None without a step."""
        return None if self.step is None else round((self.high - self.low) / self.step) + 1

    def __iter__(self) -> Iterator[float]:
        if self.size is None or self.step is None:
            raise ValueError("a range of reals without a step has infinitely many values")
        return iter([min(self.low + index * self.step, self.high) for index in range(self.size)])

    @property
    def text(self) -> str:
        """Return ``real 1e-05 to 0.01, log``."""
        return _range_text("real", self)


@dataclass(frozen=True)
class Integer:
    """Integers from ``low`` to ``high``, both included; the attributes are those of ``Real``."""

    low: int
    high: int
    log: bool = False
    step: int | None = None

    def contains(self, value: object) -> bool:
        """Return whether a value is an integer, in the range and on a step."""
        if isinstance(value, bool) or not isinstance(value, int) or not self.low <= value <= self.high:
            return False
        return (value - self.low) % (self.step or 1) == 0

    @property
    def size(self) -> int:
        """Return the number of values."""
        return (self.high - self.low) // (self.step or 1) + 1

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.low, self.high + 1, self.step or 1))

    @property
    def text(self) -> str:
        """Return ``integer 3 to 12``."""
        return _range_text("integer", self)


@dataclass(frozen=True)
class Listed:
    """One of ``values``, no two of which are equal in Python; lists may be among them."""

    values: tuple[object, ...]

    def contains(self, value: object) -> bool:
        """Return whether a value is listed; 1 and 1.0 are the same, 1 and true are not."""
        return any(equal(value, item) for item in self.values)

    @property
    def size(self) -> int:
        """Return the number of values."""
        return len(self.values)

    def __iter__(self) -> Iterator[object]:
        return iter(self.values)

    @property
    def text(self) -> str:
        """Return ``one of sgd, adamw``."""
        return "one of " + ", ".join(map(spelled, self.values))


@dataclass(frozen=True)
class Constant:
    """One value, which is not searched."""

    value: object

    def contains(self, value: object) -> bool:
        """Return whether a value is this one."""
        return equal(value, self.value)

    @property
    def size(self) -> int:
        """Return 1."""
        return 1

    def __iter__(self) -> Iterator[object]:
        return iter((self.value,))

    @property
    def text(self) -> str:
        """Return the value as YAML spells it."""
        return spelled(self.value)


Domain: TypeAlias = Real | Integer | Listed | Constant


def on_step(distance: float, step: float) -> bool:
    """Return whether a distance is a whole number of steps, as far as floats can tell."""
    steps = distance / step
    return abs(steps - round(steps)) <= STEP_TOLERANCE * max(1.0, abs(steps))


def spelled(value: object) -> str:
    """Return a value as YAML spells it; text without quotes, as people read it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _range_text(kind: str, domain: Real | Integer) -> str:
    step = "" if domain.step is None else f", step {spelled(domain.step)}"
    return f"{kind} {spelled(domain.low)} to {spelled(domain.high)}{', log' if domain.log else ''}{step}"
