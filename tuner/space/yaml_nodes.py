"""YAML 1.2 text to plain values that know where they stand.

Only data: directives, tags, anchors, aliases, merge keys and dates are refused, numbers are finite, depth is bounded.
Nodes are made from the parser's events, because ruamel.yaml's composer ends at the first repeated key and needs
minutes for brackets that are thousands deep.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from ruamel.yaml.reader import ReaderError

from tuner.space.problems import Place, Reporter

MAX_DEPTH = 20
#: Integers fit the 64 bits of a Parquet column.
MAX_INTEGER = 2**63 - 1
_MAX_DIGITS = 40

# The parser counts a line after each of these.
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
# YAML 1.2, chapter 10.3.2, the core schema.
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_REAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?")


@dataclass(frozen=True)
class Node:
    """A value of the file.

    Attributes:
        content: None, bool, int, float or str; a tuple of nodes for a list; a dict of nodes for a mapping.
        place: Where it begins.
        key: Where its key begins; None outside mappings.
    """

    content: Any
    place: Place
    key: Place | None = None

    @property
    def mapping(self) -> Mapping[str, Node] | None:
        """Return its nodes by key, or None if it is no mapping."""
        return self.content if isinstance(self.content, dict) else None

    @property
    def items(self) -> tuple[Node, ...] | None:
        """Return its nodes, or None if it is no list."""
        return self.content if isinstance(self.content, tuple) else None

    @property
    def plain(self) -> Any:
        """Return the value without places: scalars, lists and dicts."""
        if self.mapping is not None:
            return {key: node.plain for key, node in self.mapping.items()}
        if self.items is not None:
            return [node.plain for node in self.items]
        return self.content


def node_of(value: object, place: Place) -> Node:
    """Return a plain value as a node, all of it at one place."""
    if isinstance(value, Mapping):
        return Node({key: node_of(item, place) for key, item in value.items()}, place, place)
    if isinstance(value, (list, tuple)):
        return Node(tuple(node_of(item, place) for item in value), place, place)
    return Node(value, place, place)


def read_yaml(text: str, source: str, report: Reporter, *, positions: bool = True) -> Node | None:
    """Return the document of a text; None if it could not be read, which is then reported.

    Args:
        text: One YAML document; an empty one is null.
        source: What problems name as their source.
        report: Takes the problems.
        positions: Whether places have lines and columns; the value of an option has none.
    """
    try:
        return _Reader(text, source, report, positions).document()
    except _UnreadableError as error:
        report.error(error.place, str(error))
        return None


class _UnreadableError(Exception):
    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.place = place


class _Reader:
    def __init__(self, text: str, source: str, report: Reporter, positions: bool) -> None:
        self._text = text
        self._lines = _LINE_BREAK.split(text)
        self._source = source
        self._report = report
        self._positions = positions
        self._events = self._parsed()

    def document(self) -> Node:
        event = next(self._events)
        while not isinstance(event, (DocumentStartEvent, StreamEndEvent)):
            event = next(self._events)
        if isinstance(event, StreamEndEvent):
            return Node(None, self._place(0, 0))
        if event.version is not None or event.tags:
            self._report.error(self._place(0, 0), "directives (lines that begin with '%') are not allowed")
        root = self._node(next(self._events), 1)
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                raise _UnreadableError(self._mark(event), "a second document begins here; a search file holds one")
        return root or Node(None, self._place(0, 0))

    def _parsed(self) -> Iterator[Any]:
        try:
            yield from YAML(typ="safe", pure=True).parse(self._text)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = self._place(0, 0) if mark is None else self._place(mark.line, mark.column)
            raise _UnreadableError(place, f"this is not YAML: {error.problem or error.context}") from error
        except ReaderError as error:
            before = _LINE_BREAK.split(self._text[: error.position])
            place = self._place(len(before) - 1, len(before[-1]))
            code = ord(self._text[error.position])
            raise _UnreadableError(place, f"the character U+{code:04X} is not allowed") from error
        except Exception as error:  # the parser lets ValueError, OverflowError and others through on some bad texts
            raise _UnreadableError(self._place(0, 0), f"this is not YAML: {error}") from error

    def _node(self, event: Any, depth: int, key: Place | None = None) -> Node | None:
        """Return the node that an event begins; None if there is nothing to go on with."""
        place = self._mark(event)
        if depth > MAX_DEPTH and isinstance(event, (SequenceStartEvent, MappingStartEvent)):
            raise _UnreadableError(place, f"lists and mappings are nested at most {MAX_DEPTH} deep")
        if isinstance(event, AliasEvent):
            self._report.error(place, f"aliases (*{event.anchor}) are not allowed; write the value out")
            return None
        if event.anchor is not None:
            self._report.error(place, f"anchors (&{event.anchor}) are not allowed")
        if event.tag is not None:
            self._report.error(place, f"tags ({event.tag}) are not allowed")
        if isinstance(event, SequenceStartEvent):
            return Node(self._list(depth), place, key)
        if isinstance(event, MappingStartEvent):
            return Node(self._mapping(depth), place, key)
        if any("\ud800" <= character <= "\udfff" for character in event.value):
            self._report.error(place, "half of a surrogate pair is no character")
            return None
        return Node(self._scalar(event, place), place, key)

    def _list(self, depth: int) -> tuple[Node, ...]:
        nodes = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            nodes.append(self._node(event, depth + 1))
        return tuple(node for node in nodes if node is not None)

    def _mapping(self, depth: int) -> dict[str, Node]:
        nodes: dict[str, Node] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            key = self._node(event, depth + 1)
            name = self._key(event, key)
            node = self._node(next(self._events), depth + 1, self._mark(event))
            if name in nodes:
                first = nodes[name].key
                where = f" in line {first.line}" if first is not None and first.in_file else ""
                self._report.error(self._mark(event), f"the key '{name}' is repeated; it stands{where} already")
            elif name is not None and node is not None:
                nodes[name] = node
        return nodes

    def _key(self, event: Any, key: Node | None) -> str | None:
        if key is None:
            return None
        if not isinstance(key.content, str):
            self._report.error(key.place, "a key must be text" + (", so put it in quotes" if key.content else ""))
            return None
        if key.content == "<<" and event.style is None:
            self._report.error(key.place, "merge keys (<<) are not allowed; write the keys out")
            return None
        return key.content

    def _scalar(self, event: ScalarEvent, place: Place) -> Any:
        text = str(event.value)
        if not event.implicit[0]:  # quoted, or a block of text
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            return self._integer(text, place)
        if _NOT_FINITE.fullmatch(text) or (_REAL.fullmatch(text) and not math.isfinite(float(text))):
            self._report.error(place, f"a number must be finite, not {text[:40]}")
            return 0.0
        if _REAL.fullmatch(text):
            return float(text)
        if _DATE.fullmatch(text):
            self._report.error(place, f"'{text[:40]}' is a date; put it in quotes if it is meant as text")
        return text

    def _integer(self, text: str, place: Place) -> int:
        value = int(text, {"0o": 8, "0x": 16}.get(text[:2], 10)) if len(text) <= _MAX_DIGITS else MAX_INTEGER + 1
        if abs(value) <= MAX_INTEGER:
            return value
        self._report.error(place, "an integer must fit in 64 bits")
        return 0

    def _mark(self, event: Any) -> Place:
        return self._place(event.start_mark.line, event.start_mark.column)

    def _place(self, line: int, column: int) -> Place:
        if not self._positions:
            return Place(self._source)
        text = self._lines[line] if line < len(self._lines) else ""
        return Place(self._source, line + 1, column + 1, text)
