"""An entry of ``parameters:`` to a parameter: a bare value, a domain, or a list of alternatives."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuner.space.domains import Constant, Domain, Integer, Listed, Real, on_step, spelled
from tuner.space.parameters import Alternative, Parameter
from tuner.space.problems import Place, Reporter, suggestion
from tuner.space.yaml_nodes import Node

RANGE_KEYS = ("min", "max", "log", "step")
ENTRY_KEYS = (*RANGE_KEYS, "values", "value", "when")
_TYPES = {"min": "a number", "max": "a number", "step": "a number", "log": "true or false"}
_MAX_STEPS = 10**6
FORMS = "{min: ..., max: ...}, {values: [...]} or {value: ...}"


@dataclass(frozen=True)
class Entry:
    """A parameter and where it stands.

    Attributes:
        parameter: What was read.
        key: The place of its name.
        nodes: The node of each alternative.
    """

    parameter: Parameter
    key: Place
    nodes: tuple[Node, ...]

    def place(self, index: int, *keys: str) -> Place:
        """Return where an alternative stands, or as much of the path of keys below it as there is."""
        node = self.nodes[index]
        place = node.place
        for key in keys:
            if node.mapping is None or key not in node.mapping:
                break
            node = node.mapping[key]
            place = node.key or node.place
        return place


class EntryError(Exception):
    """What makes no sense in an entry, and where."""

    def __init__(self, *findings: tuple[Place, str]) -> None:
        """Args: findings: place and one sentence of each; at least one."""
        super().__init__(*findings)
        self.findings = findings


def read_entry(name: str, node: Node, report: Reporter) -> Entry | None:
    """Return the parameter that an entry declares; None where it is wrong, which is then reported."""
    items = node.items or ()
    mappings = [item for item in items if item.mapping is not None]
    if mappings and len(mappings) < len(items):
        bare = next(item for item in items if item.mapping is None)
        report.error(bare.place, f"alternatives are mappings, all of them; write {{value: {spelled(bare.plain)}}}")
        return None
    nodes = items if mappings else (node,)
    alternatives = []
    for item in nodes:
        try:
            alternatives.append(_alternative(name, item))
        except EntryError as error:
            for place, message in error.findings:
                report.error(place, message)
    if len(alternatives) < len(nodes):
        return None
    return Entry(Parameter(name, tuple(alternatives)), node.key or node.place, nodes)


def _alternative(name: str, node: Node) -> Alternative:
    if node.mapping is None:
        return Alternative(Constant(_plain_value(node)))
    unknown = [(item.key or item.place, key) for key, item in node.mapping.items() if key not in ENTRY_KEYS]
    if unknown:
        raise EntryError(*((place, f"unknown key '{key}'{suggestion(key, ENTRY_KEYS)}") for place, key in unknown))
    when = _when(node.mapping["when"]) if "when" in node.mapping else {}
    return Alternative(_domain(name, node, node.mapping), when)


def _domain(name: str, node: Node, keys: Mapping[str, Node]) -> Domain:
    forms = [form for form in (RANGE_KEYS, ("values",), ("value",)) if any(key in keys for key in form)]
    if len(forms) != 1:
        raise EntryError((node.place, f"'{name}' must be one of {FORMS}"))
    if "value" in keys:
        return Constant(_plain_value(keys["value"]))
    if "values" in keys:
        return _listed(keys["values"])
    for key in ("min", "max"):
        if key not in keys:
            raise EntryError((node.place, f"'{name}' has no '{key}'; a range is {{min: ..., max: ...}}"))
    return _range(node, keys)


def _range(node: Node, keys: Mapping[str, Node]) -> Real | Integer:
    given = {
        key: item for key, item in keys.items() if key in RANGE_KEYS and (key != "step" or item.content is not None)
    }
    wrong = [
        (item.place, f"'{key}' must be {_TYPES[key]}, not {_described(item)}")
        for key, item in given.items()
        if not _fits(key, item.content)
    ]
    if wrong:
        raise EntryError(*wrong)
    numbers: dict[str, Any] = {key: item.content for key, item in given.items()}
    low, high, log, step = numbers["min"], numbers["max"], numbers.get("log", False), numbers.get("step")
    if low >= high:
        hint = f"; for one value write {spelled(low)}" if low == high else ""
        raise EntryError((node.place, f"'min' must be below 'max': {spelled(low)} is not below {spelled(high)}{hint}"))
    if not math.isfinite(high - low):
        raise EntryError((node.place, "this range is wider than a floating-point number can say"))
    if log and low <= 0:
        raise EntryError((keys["min"].place, f"'min' must be above 0 where 'log' is true, not {spelled(low)}"))
    integers = isinstance(low, int) and isinstance(high, int)
    if step is not None and (wrong_step := _step_problem(low, high, step, log, integers)):
        raise EntryError((keys["step"].place, wrong_step))
    if integers:
        return Integer(low, high, log, step)
    return Real(float(low), float(high), log, None if step is None else float(step))


def _step_problem(low: float, high: float, step: float, log: bool, integers: bool) -> str | None:
    if log:
        return "'step' and 'log' exclude each other"
    if integers and not isinstance(step, int):
        return f"'step' must be an integer between integer bounds, not {spelled(step)}"
    if step <= 0:
        return f"'step' must be above 0, not {spelled(step)}"
    if (high - low) / step > _MAX_STEPS:
        return f"a range has at most {_MAX_STEPS} steps"
    if not on_step(high - low, step):
        last = low + (high - low) // step * step
        return f"'max' must be a whole number of steps above 'min', such as {last:g}"
    return None


def _fits(key: str, value: object) -> bool:
    if key == "log":
        return isinstance(value, bool)
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _described(node: Node) -> str:
    if node.mapping is not None:
        return "a mapping"
    return f"the text '{node.content}'" if isinstance(node.content, str) else spelled(node.plain)


def _listed(node: Node) -> Listed:
    if not node.items:
        raise EntryError((node.place, "'values' must be a list of at least one value"))
    seen: dict[object, Node] = {}
    wrong = []
    for item in node.items:
        # Python's equality, as the values meet in sets and dicts later on: 1, 1.0 and true are one key there.
        first = seen.setdefault(_hashable(_plain_value(item)), item)
        if first is not item:
            wrong.append((item.place, f"{spelled(item.plain)} equals {spelled(first.plain)}, which is listed already"))
    if wrong:
        raise EntryError(*wrong)
    return Listed(tuple(item.plain for item in node.items))


def _when(node: Node) -> dict[str, tuple[object, ...]]:
    if not node.mapping:
        raise EntryError((node.place, "'when' must be a mapping of parents to values, such as {optimizer: sgd}"))
    when: dict[str, tuple[object, ...]] = {}
    for parent, item in node.mapping.items():
        values = item.items if item.items is not None else (item,)
        if not values:
            raise EntryError((item.place, f"'when' lists no value for '{parent}', so it can never hold"))
        when[parent] = tuple(_plain_value(value) for value in values)
    return when


def _plain_value(node: Node) -> Any:
    if node.mapping is not None:
        raise EntryError((node.place, "a mapping cannot be a value here"))
    for item in node.items or ():
        _plain_value(item)
    return node.plain


def _hashable(value: object) -> object:
    return tuple(map(_hashable, value)) if isinstance(value, list) else value
