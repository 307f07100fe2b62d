"""The JSON Schema (2020-12) of a search file, made from the tables that check it; editors complete by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuner.facts.fields import Field, Kind
from tuner.space.algorithms import OFF
from tuner.space.sections import OTHERS, SECTIONS, TOP

_TYPES = {
    Kind.REAL: "number",
    Kind.INTEGER: "integer",
    Kind.BOOLEAN: "boolean",
    Kind.CHOICE: "string",
    Kind.TEXT: "string",
    Kind.INTEGERS: "array",
}
_DURATION = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?[smhd]$"}
_PLAIN = {"type": ["null", "boolean", "number", "string", "array"]}
_NUMBER = {"type": "number"}
_WHEN = {
    "description": "Parents to the value, or the list of values, under which this holds; several parents mean and.",
    "type": "object",
    "minProperties": 1,
    "additionalProperties": _PLAIN,
}


def json_schema(trainables: Mapping[str, Mapping[str, Field]]) -> dict[str, Any]:
    """Return the schema of a search file.

    What a schema cannot say (bounds in order, parents that exist, constraints) ``tuner check`` alone finds.

    Args:
        trainables: Name of each built-in trainable to its fields.
    """
    own = r"[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*"
    properties = {name: _value(item) for name, item in TOP.items()}
    properties["trainable"]["pattern"] = f"^({'|'.join(trainables)}|{own})$"
    properties |= {section: _section(section) for section in SECTIONS}
    one = {**properties["metric"], "type": "object", "required": ["name"]}
    properties["metric"] = {"anyOf": [properties["metric"], {"type": "array", "minItems": 1, "items": one}]}
    properties["require"] = _described("require", {"type": ["array", "null"], "items": {"type": "string"}})
    properties["parameters"] = _described("parameters", {"type": ["object", "null"]})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Search file of tuner",
        "type": "object",
        "required": ["parameters"],
        "additionalProperties": False,
        "properties": properties,
        "allOf": [*(_built_in(name, fields) for name, fields in trainables.items()), _own(own)],
        "$defs": {"when": _WHEN},
    }


def _built_in(name: str, fields: Mapping[str, Field]) -> dict[str, Any]:
    """Return the rule that a built-in trainable has its own fields alone; it holds for the default by silence, too."""
    trained: dict[str, Any] = {"properties": {"trainable": {"const": name}}}
    if name != TOP["trainable"].default:
        trained["required"] = ["trainable"]
    entries = {item.name: _entry(item) for item in fields.values()}
    return {
        "if": trained,
        "then": {"properties": {"parameters": {"additionalProperties": False, "properties": entries}}},
    }


def _own(pattern: str) -> dict[str, Any]:
    """Return the rule that one's own trainable has parameters of any name and no data section."""
    name = {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}
    return {
        "if": {"properties": {"trainable": {"pattern": f"^{pattern}$"}}, "required": ["trainable"]},
        "then": {
            "properties": {
                "data": {"type": "null"},
                "parameters": {"propertyNames": name, "additionalProperties": _alternatives(_PLAIN, _NUMBER)},
            }
        },
    }


def _section(section: str) -> dict[str, Any]:
    keys = {name: _value(item) for name, item in SECTIONS[section].items()}
    if section == "search":
        keys["points"] = _described("search.points", {"type": ["array", "null"], "items": {"type": "object"}})
        keys["warm_start"] = _described("search.warm_start", {"type": ["array", "null"], "items": {"type": "string"}})
    schema = {"type": ["object", "null"], "additionalProperties": False, "properties": keys}
    rules = {item.name: _applies(item, SECTIONS[section]) for item in SECTIONS[section].values() if item.applies}
    return schema | ({"dependentSchemas": rules} if rules else {})


def _applies(item: Field, fields: Mapping[str, Field]) -> dict[str, Any]:
    """Return the rule that a setting stands only beside a choice that it applies to, or beside none."""
    allowed = {
        parent: [*values, *(OFF for choice in fields[parent].choices if choice == OFF)]
        for parent, values in item.applies.items()
    }
    needed = [parent for parent, values in allowed.items() if fields[parent].default not in values]
    properties = {parent: {"enum": values} for parent, values in allowed.items()}
    return {"properties": properties} | ({"required": needed} if needed else {})


def _described(key: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": OTHERS[key], **schema}


def _value(item: Field) -> dict[str, Any]:
    """Return the schema of a field's value."""
    schema: dict[str, Any] = {"type": _TYPES[item.kind]}
    number = schema.setdefault("items", {"type": "integer"}) if item.kind is Kind.INTEGERS else schema
    if item.minimum is not None:
        number["exclusiveMinimum" if item.above else "minimum"] = item.minimum
    if item.maximum is not None:
        number["exclusiveMaximum" if item.below else "maximum"] = item.maximum
    if item.choices:
        schema["enum"] = list(item.choices)
    options = [schema, *([_DURATION] if item.unit == "seconds" else []), *([{"type": "null"}] * (item.default is None))]
    return {
        **(schema if len(options) == 1 else {"anyOf": options}),
        "description": item.meaning + (f" Unit: {item.unit}." if item.unit else ""),
        "default": item.default,
    }


def _entry(item: Field) -> dict[str, Any]:
    """Return the schema of an entry of ``parameters`` for a field: a value, a mapping, or alternatives."""
    value = {key: part for key, part in _value(item).items() if key not in ("description", "default")}
    number = value if item.kind in (Kind.REAL, Kind.INTEGER) else None
    return {"description": item.meaning, "default": item.default, **_alternatives(value, number)}


def _alternatives(value: dict[str, Any], number: dict[str, Any] | None) -> dict[str, Any]:
    forms = [_mapping(["value"], {"value": value}), _mapping(["values"], {"values": _list(value)})]
    if number is not None:
        step = {"type": "number", "exclusiveMinimum": 0}
        ends = {"min": number, "max": number, "log": {"type": "boolean"}, "step": {"anyOf": [step, {"type": "null"}]}}
        forms.append(_mapping(["min", "max"], ends))
    return {"anyOf": [value, *forms, {"type": "array", "minItems": 1, "items": {"anyOf": forms}}]}


def _mapping(required: list[str], keys: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": required,
        "additionalProperties": False,
        "properties": {**keys, "when": {"$ref": "#/$defs/when"}},
    }


def _list(value: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "uniqueItems": True, "items": value}
