"""The small language of ``require:`` and ``--where``: parsed into a tree of values, never run as code.

    condition   = conjunction ("or" conjunction)*
    conjunction = negation ("and" negation)*
    negation    = "not" negation | comparison
    comparison  = sum (("==" | "!=" | "<" | "<=" | ">" | ">=") sum)* | sum ["not"] "in" "[" literal, ... "]"
    sum         = product (("+" | "-") product)*
    product     = factor (("*" | "/") factor)*
    factor      = "-" factor | "(" condition ")" | literal | name
    literal     = number | 'text' | "text" | true | false | null

A parameter named like a word of this grammar could not be mentioned: see ``KEYWORDS``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, NoReturn, TypeVar

from tuner.space.nodes import (
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
)

__all__ = [
    "KEYWORDS",
    "And",
    "Arithmetic",
    "Comparison",
    "Expression",
    "ExpressionError",
    "Listing",
    "Literal",
    "Name",
    "Negative",
    "Not",
    "Or",
    "evaluate",
    "parse",
]

#: Words that no parameter may bear, as a condition could not name it.
KEYWORDS = frozenset({"and", "or", "not", "in", "true", "false", "null"})

# Bounds that keep a hostile text from exhausting the stack, in parsing and in evaluation.
_MAX_TOKENS = 200
_MAX_DEPTH = 20
_MAX_DIGITS = 100

_T = TypeVar("_T")

_CONSTANTS = {"true": True, "false": False, "null": None}
_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?!\w))
      | (?P<text>'[^']*'|"[^"]*")
      | (?P<word>[^\W\d]\w*)
      | (?P<sign>==|!=|<=|>=|[-+*/<>(),\[\]])
      | (?P<end>$)
    )""",
    re.VERBOSE,
)


class ExpressionError(ValueError):
    """A text that is no condition; ``offset`` is the character, from 0, at which that shows."""

    def __init__(self, message: str, offset: int) -> None:
        """Args: message: one sentence. offset: from 0."""
        super().__init__(message, offset)
        self.offset = offset

    def __str__(self) -> str:
        """Return the sentence."""
        return str(self.args[0])


def parse(text: str) -> Expression:
    """Return the tree of a condition.

    Args:
        text: At most 200 words and signs, nested at most 20 deep.

    Raises:
        ExpressionError: The text is no condition; a ValueError with an offset.
    """
    return _Parser(_tokens(text)).parse()


def evaluate(expression: Expression, values: Mapping[str, object]) -> object:
    """Return an expression's value, as ``Expression.evaluate`` does."""
    return expression.evaluate(values)


class _Token(NamedTuple):
    kind: str
    text: str
    offset: int
    value: bool | int | float | str | None = None


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    while not tokens or tokens[-1].kind != "end":
        found = _TOKEN.match(text, position)
        if found is None or found.lastgroup is None:
            offset = len(text) - len(text[position:].lstrip())
            raise ExpressionError(f"cannot read '{text[offset : offset + 20]}'", offset)
        tokens.append(_token(found.lastgroup, found.group(found.lastgroup), found.start(found.lastgroup)))
        if len(tokens) > _MAX_TOKENS:
            raise ExpressionError(f"a condition has at most {_MAX_TOKENS} words and signs", tokens[-1].offset)
        position = found.end()
    return tokens


def _token(kind: str, text: str, offset: int) -> _Token:
    if kind == "number":
        value = float(text) if re.search("[.eE]", text) else int(text[:_MAX_DIGITS])
        if len(text) > _MAX_DIGITS or not math.isfinite(value):
            raise ExpressionError("a number is too long or too large", offset)
        return _Token("literal", text, offset, value)
    if kind == "text":
        return _Token("literal", text, offset, text[1:-1])
    if text in _CONSTANTS:
        return _Token("literal", text, offset, _CONSTANTS[text])
    return _Token("sign" if text in KEYWORDS else kind, text, offset)


class _Parser:
    """Recursive descent: one method for each rule of the grammar."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def parse(self) -> Expression:
        if self._next.kind == "end":
            raise ExpressionError("a condition is empty", 0)
        tree = self._condition()
        if self._next.kind != "end":
            self._fail("'and' or 'or'")
        if isinstance(tree, (Arithmetic, Negative)) or (isinstance(tree, Literal) and not isinstance(tree.value, bool)):
            raise ExpressionError("this is a value, not a condition that is true or false", 0)
        return tree

    def _condition(self) -> Expression:
        items = self._separated(self._conjunction, "or")
        return items[0] if len(items) == 1 else Or(items)

    def _conjunction(self) -> Expression:
        items = self._separated(self._negation, "and")
        return items[0] if len(items) == 1 else And(items)

    def _negation(self) -> Expression:
        if self._take("not"):
            return Not(self._deeper(self._negation))
        return self._comparison()

    def _comparison(self) -> Expression:
        left = self._sum()
        if (op := self._take("not", "in")) is not None:
            if op == "not":
                self._expect("in")
            return Comparison("in" if op == "in" else "not in", left, self._listing())
        items: list[Expression] = []
        while (op := self._take(*_COMPARISONS)) is not None:
            right = self._sum()
            items.append(Comparison(op, left, right))
            left = right
        if not items:
            return left
        return items[0] if len(items) == 1 else And(tuple(items))

    def _sum(self) -> Expression:
        tree = self._product()
        while (op := self._take("+", "-")) is not None:
            tree = Arithmetic(op, tree, self._product())
        return tree

    def _product(self) -> Expression:
        tree = self._factor()
        while (op := self._take("*", "/")) is not None:
            tree = Arithmetic(op, tree, self._factor())
        return tree

    def _factor(self) -> Expression:
        if self._take("-"):
            return _negated(self._deeper(self._factor))
        if self._take("("):
            tree = self._deeper(self._condition)
            self._expect(")")
            return tree
        token = self._advance("literal", "word", expected="a name, a value or '('")
        return Name(token.text) if token.kind == "word" else Literal(token.value)

    def _listing(self) -> Listing:
        self._expect("[")
        items = self._separated(self._item, ",")
        self._expect("]")
        return Listing(items)

    def _item(self) -> Literal:
        at = self._next.offset
        negative = self._take("-")
        item = Literal(self._advance("literal", expected="a number" if negative else "a value").value)
        if not negative:
            return item
        if not isinstance(negated := _negated(item), Literal):
            raise ExpressionError(f"expected a number, not -{item}", at)
        return negated

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _advance(self, *kinds: str, expected: str) -> _Token:
        token = self._next
        if token.kind not in kinds:
            self._fail(expected)
        self._at += 1
        return token

    def _take(self, *signs: str) -> str | None:
        token = self._next
        if token.kind != "sign" or token.text not in signs:
            return None
        self._at += 1
        return token.text

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            self._fail(f"'{sign}'")

    def _separated(self, rule: Callable[[], _T], sign: str) -> tuple[_T, ...]:
        items = [rule()]
        while self._take(sign):
            items.append(rule())
        return tuple(items)

    def _deeper(self, rule: Callable[[], Expression]) -> Expression:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ExpressionError(f"a condition is nested at most {_MAX_DEPTH} deep", self._next.offset)
        tree = rule()
        self._depth -= 1
        return tree

    def _fail(self, expected: str) -> NoReturn:
        token = self._next
        found = "the end" if token.kind == "end" else f"'{token.text}'"
        raise ExpressionError(f"expected {expected}, not {found}", token.offset)


def _negated(operand: Expression) -> Expression:
    if isinstance(operand, Literal) and isinstance(operand.value, (int, float)) and not isinstance(operand.value, bool):
        return Literal(-operand.value)
    return Negative(operand)
