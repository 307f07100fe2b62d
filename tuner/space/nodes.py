"""The tree that a condition of ``require:`` or ``--where`` is parsed into, and its value."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any


@dataclass(frozen=True)
class Expression(ABC):
    """A node of the tree. Its ``str`` is a text that parses into an equal tree."""

    @abstractmethod
    def evaluate(self, values: Mapping[str, object]) -> object:
        """Return the value: true or false for a condition, a number for arithmetic.

        Null is equal to null alone, lies in no order (``null < 1`` is false), and makes arithmetic null.

        Args:
            values: Every name that the tree mentions, to its value.

        Raises:
            ValueError: A name without a value, an order between different types, arithmetic on what is no number,
                a division by zero, or ``and``, ``or``, ``not`` on what is neither true nor false.
        """

    @property
    def parts(self) -> tuple[Expression, ...]:
        """Return the nodes directly below."""
        return ()

    @property
    def names(self) -> frozenset[str]:
        """Return the names that it mentions."""
        return frozenset().union(*(part.names for part in self.parts))


@dataclass(frozen=True)
class Literal(Expression):
    """A number, a text, true, false or null."""

    value: bool | int | float | str | None

    def evaluate(self, values: Mapping[str, object]) -> object:
        """Return its value."""
        return self.value

    def __str__(self) -> str:
        if isinstance(self.value, str):
            return f'"{self.value}"' if "'" in self.value else f"'{self.value}'"
        if self.value is None or isinstance(self.value, bool):
            return {None: "null", True: "true", False: "false"}[self.value]
        return repr(self.value)


@dataclass(frozen=True)
class Name(Expression):
    """A parameter, or a column of the leaderboard."""

    name: str

    @property
    def names(self) -> frozenset[str]:
        """Return the name alone."""
        return frozenset({self.name})

    def evaluate(self, values: Mapping[str, object]) -> object:
        """Return its value."""
        if self.name not in values:
            raise ValueError(f"unknown name '{self.name}'")
        return values[self.name]

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Listing(Expression):
    """The literals to the right of ``in``."""

    items: tuple[Literal, ...]

    def evaluate(self, values: Mapping[str, object]) -> object:
        """Return its value."""
        return tuple(item.value for item in self.items)

    def __str__(self) -> str:
        return f"[{', '.join(map(str, self.items))}]"


@dataclass(frozen=True)
class Arithmetic(Expression):
    """``left op right`` with op one of ``+ - * /``."""

    op: str
    left: Expression
    right: Expression

    @property
    def parts(self) -> tuple[Expression, ...]:
        """Return both sides."""
        return (self.left, self.right)

    def evaluate(self, values: Mapping[str, object]) -> object:
        """Return its value."""
        return _arithmetic(self.op, self.left.evaluate(values), self.right.evaluate(values))

    def __str__(self) -> str:
        return f"{_inside(self.left)} {self.op} {_inside(self.right)}"


@dataclass(frozen=True)
class Negative(Expression):
    """``-operand``."""

    operand: Expression

    @property
    def parts(self) -> tuple[Expression, ...]:
        """Return the operand."""
        return (self.operand,)

    def evaluate(self, values: Mapping[str, object]) -> object:
        """Return its value."""
        return _arithmetic("-", 0, self.operand.evaluate(values))

    def __str__(self) -> str:
        return f"-{_inside(self.operand)}"


@dataclass(frozen=True)
class Comparison(Expression):
    """``left op right`` with op one of ``== != < <= > >=``, or ``in`` and ``not in`` with a Listing on the right."""

    op: str
    left: Expression
    right: Expression

    @property
    def parts(self) -> tuple[Expression, ...]:
        """Return both sides."""
        return (self.left, self.right)

    def evaluate(self, values: Mapping[str, object]) -> object:
        """Return its value."""
        left = self.left.evaluate(values)
        if isinstance(self.right, Listing):
            return any(equal(left, item.value) for item in self.right.items) is (self.op == "in")
        return _compare(self.op, left, self.right.evaluate(values))

    def __str__(self) -> str:
        return f"{_inside(self.left, Arithmetic)} {self.op} {_inside(self.right, Arithmetic)}"


@dataclass(frozen=True)
class And(Expression):
    """Whether all items hold; ``a < b < c`` is one as well."""

    items: tuple[Expression, ...]

    @property
    def parts(self) -> tuple[Expression, ...]:
        """Return the items."""
        return self.items

    def evaluate(self, values: Mapping[str, object]) -> object:
        """Return its value."""
        return all(_truth(item.evaluate(values)) for item in self.items)

    def __str__(self) -> str:
        return " and ".join(_inside(item, Comparison) for item in self.items)


@dataclass(frozen=True)
class Or(Expression):
    """Whether at least one item holds."""

    items: tuple[Expression, ...]

    @property
    def parts(self) -> tuple[Expression, ...]:
        """Return the items."""
        return self.items

    def evaluate(self, values: Mapping[str, object]) -> object:
        """Return its value."""
        return any(_truth(item.evaluate(values)) for item in self.items)

    def __str__(self) -> str:
        return " or ".join(_inside(item, Comparison) for item in self.items)


@dataclass(frozen=True)
class Not(Expression):
    """Whether the operand does not hold."""

    operand: Expression

    @property
    def parts(self) -> tuple[Expression, ...]:
        """Return the operand."""
        return (self.operand,)

    def evaluate(self, values: Mapping[str, object]) -> object:
        """Return its value."""
        return not _truth(self.operand.evaluate(values))

    def __str__(self) -> str:
        return f"not {_inside(self.operand, Comparison)}"


ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
ORDERINGS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def equal(left: object, right: object) -> bool:
    """Return whether two values are equal and of one kind: 1 equals 1.0 but neither true nor '1'."""
    return _kind(left) == _kind(right) and bool(left == right)


def _inside(node: Expression, *bare: type[Expression]) -> str:
    """Return a part's text, in parentheses unless it is an atom or of a kind that binds closer than the whole."""
    return str(node) if isinstance(node, (Literal, Name, Listing, *bare)) else f"({node})"


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float, Real)):  # Real also takes numpy's numbers, but slowly
        return "a number"
    return {str: "text", type(None): "null"}.get(type(value), "a list")


def _arithmetic(op: str, left: object, right: object) -> object:
    if left is None or right is None:
        return None
    for side in (left, right):
        if _kind(side) != "a number":
            raise ValueError(f"'{op}' needs numbers, not {_kind(side)}")
    try:
        return ARITHMETIC[op](left, right)
    except ArithmeticError as error:
        raise ValueError(str(error)) from error


def _compare(op: str, left: object, right: object) -> bool:
    if op in ("==", "!="):
        return equal(left, right) is (op == "==")
    if left is None or right is None:
        return False
    if _kind(left) != _kind(right) or _kind(left) == "a list":
        raise ValueError(f"'{op}' cannot compare {_kind(left)} with {_kind(right)}")
    return ORDERINGS[op](left, right)


def _truth(value: object) -> bool:
    if value is None:
        return False
    if not isinstance(value, bool):
        raise ValueError(f"'and', 'or' and 'not' need true or false, not {_kind(value)}")
    return value
