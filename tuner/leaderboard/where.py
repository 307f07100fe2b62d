"""``--where``: the language of ``require`` compiled into an Arrow expression over the columns of a leaderboard.

A comparison with a missing value is unknown, ``and``, ``or`` and ``not`` carry that on, and only rows for which the
condition is true are shown; ``== null`` and ``!= null`` ask for missing values. A column of JSON text (lists, values of
mixed kinds) is equal or unequal to a number, a text, true or false, and has no order. A time is compared with a text in
ISO 8601, UTC where it names no zone.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tuner.facts.errors import UsageError
from tuner.leaderboard.schema import is_json
from tuner.space.expressions import (
    And,
    Arithmetic,
    Comparison,
    Expression,
    Listing,
    Literal,
    Name,
    Negative,
    Not,
    Or,
    parse,
)

_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
# Arrow's unchecked arithmetic; a division by zero is unknown, as no condition can hold or fail on it.
_COMBINE: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": pc.add,
    "-": pc.subtract,
    "*": pc.multiply,
    "/": lambda left, right: pc.divide(left, pc.if_else(right == 0.0, pa.scalar(None, pa.float64()), right)),
}
_KINDS: Mapping[Any, str] = {
    pa.string(): "text",
    pa.int64(): "number",
    pa.float64(): "number",
    pa.bool_(): "true or false",
    pa.timestamp("us", tz="UTC"): "time",
}


@dataclass(frozen=True)
class _Typed:
    """An Arrow expression with the kind of its value; ``literal`` is set for a literal, None included."""

    arrow: Any
    kind: str
    literal: Literal | None = None


def parse_where(text: str) -> Expression:
    """Return the tree of a ``--where``.

    Raises:
        UsageError: The text is no condition.
    """
    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(f"--where '{text}': {error}") from error


def compile_where(condition: Expression, schema: Any) -> Any:
    """Return a condition as a ``pyarrow.compute.Expression`` over a leaderboard's columns.

    Args:
        condition: What ``parse_where`` returned.
        schema: The leaderboard's Arrow schema.

    Raises:
        UsageError: An unknown column, or a comparison of different kinds.
    """
    return _condition(condition, schema)


def unknown_column(name: str, names: list[str]) -> UsageError:
    """Return the error for a column that is not there, with the nearest one that is."""
    near = get_close_matches(name, names, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else f"; there are: {', '.join(names)}"
    return UsageError(f"the leaderboard has no column '{name}'{hint}")


def _condition(node: Expression, schema: Any) -> Any:
    match node:
        case And(items=items):
            return reduce(operator.and_, (_condition(item, schema) for item in items))
        case Or(items=items):
            return reduce(operator.or_, (_condition(item, schema) for item in items))
        case Not(operand=operand):
            return ~_condition(operand, schema)
        case Comparison(op=op, left=left, right=Listing(items=items)):
            value = _value(left, schema)
            found = reduce(operator.or_, (_compared("==", value, _value(item, schema), node) for item in items))
            return found if op == "in" else ~found
        case Comparison(op=op, left=left, right=right):
            return _compared(op, _value(left, schema), _value(right, schema), node)
    value = _value(node, schema)
    if value.kind != "true or false":
        raise UsageError(f"--where: '{node}' is {value.kind}, neither true nor false")
    return value.arrow


def _value(node: Expression, schema: Any) -> _Typed:
    match node:
        case Literal(value=value):
            kind = {bool: "true or false", str: "text", type(None): "null"}.get(type(value), "number")
            return _Typed(_scalar(value), kind, node)
        case Name(name=name):
            if name not in schema.names:
                raise unknown_column(name, schema.names)
            field = schema.field(name)
            return _Typed(pc.field(name), "JSON" if is_json(field) else _KINDS[field.type])
        case Negative(operand=operand):
            return _Typed(pc.negate(_number(operand, schema)), "number")
        case Arithmetic(op=op, left=left, right=right):
            return _Typed(_COMBINE[op](_number(left, schema), _number(right, schema)), "number")
    return _Typed(_condition(node, schema), "true or false")


def _number(node: Expression, schema: Any) -> Any:
    value = _value(node, schema)
    if value.kind != "number":
        raise UsageError(f"--where: arithmetic needs numbers, and '{node}' is {value.kind}")
    return value.arrow.cast(pa.float64(), safe=False)


def _scalar(value: Any) -> Any:
    # A number beyond 64 bits is above or below every integer that a column can hold, as its float is.
    is_wide = isinstance(value, int) and not -(2**63) <= value < 2**63
    return pc.scalar(float(value) if is_wide else value)


def _compared(op: str, left: _Typed, right: _Typed, node: Expression) -> Any:
    if left.literal is not None and right.literal is None:
        return _compared({"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(op, op), right, left, node)
    if right.kind == "null":
        return _compared_with_null(op, left)
    if left.kind == "JSON":
        return _compared_with_json(op, left, right, node)
    if left.kind == "time" and right.literal is not None:
        right = _moment(right.literal)
    if left.kind != right.kind:
        raise UsageError(f"--where: '{node}' compares {left.kind} with {right.kind}")
    return _COMPARE[op](left.arrow, right.arrow)


def _compared_with_null(op: str, left: _Typed) -> Any:
    if op not in ("==", "!="):
        return pc.scalar(False)
    return left.arrow.is_null() if op == "==" else left.arrow.is_valid()


def _compared_with_json(op: str, left: _Typed, right: _Typed, node: Expression) -> Any:
    if op not in ("==", "!=") or (right.literal is None and right.kind != "JSON"):
        raise UsageError(f"--where: '{node}' needs an order, and a column of JSON text has none")
    if right.literal is None:
        return _COMPARE[op](left.arrow, right.arrow)
    value: Any = right.literal.value
    spellings = {json.dumps(value)}
    if right.kind == "number" and float(value).is_integer():
        spellings |= {json.dumps(int(value)), json.dumps(float(value))}
    found = reduce(operator.or_, (left.arrow == pc.scalar(text) for text in sorted(spellings)))
    return found if op == "==" else ~found


def _moment(literal: Literal) -> _Typed:
    try:
        moment = datetime.fromisoformat(str(literal.value))
    except ValueError as error:
        raise UsageError(f"--where: {literal} is no time; write it as '2026-01-31' or '2026-01-31T18:00'") from error
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return _Typed(pc.scalar(pa.scalar(aware, pa.timestamp("us", tz="UTC"))), "time")
