"""Whether the entries of a built-in trainable's parameters fit their fields: type, bounds, integers or reals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tuner.facts.fields import Field, Kind
from tuner.space.domains import Constant, Domain, Integer, Listed, Real, spelled
from tuner.space.entries import Entry
from tuner.space.parameters import Parameter
from tuner.space.problems import Place, Reporter, suggestion


def fit(entry: Entry, field: Field, report: Reporter) -> Entry:
    """Return an entry with integers made real where its field is; whatever does not fit is reported.

    The ends of every range and each listed value are held against the field's bounds.
    """
    for index, alternative in enumerate(entry.parameter.alternatives):
        for place, message in _findings(entry, index, alternative.domain, field):
            report.error(place, f"'{field.name}' {message}")
    if field.kind is not Kind.REAL:
        return entry
    alternatives = tuple(replace(item, domain=_real(item.domain)) for item in entry.parameter.alternatives)
    return replace(entry, parameter=Parameter(entry.parameter.name, alternatives))


def _findings(entry: Entry, index: int, domain: Domain, field: Field) -> Iterator[tuple[Place, str]]:
    match domain:
        case Constant(value=value):
            node = entry.nodes[index]
            yield from _value((node.mapping or {}).get("value", node).place, value, field)
        case Listed(values=values):
            for item, value in zip(entry.nodes[index].content["values"].items, values, strict=True):
                yield from _value(item.place, value, field)
        case Real() | Integer():
            wrong = _kind_problem(domain, field)
            if wrong is not None:
                yield entry.nodes[index].place, wrong
                return
            for key, end in (("min", domain.low), ("max", domain.high)):
                yield from _value(entry.nodes[index].content[key].place, end, field)


def _value(place: Place, value: object, field: Field) -> Iterator[tuple[Place, str]]:
    wrong = field.problem(value)
    if wrong is not None:
        yield place, wrong + (suggestion(value, field.choices) if isinstance(value, str) else "")


def _kind_problem(domain: Real | Integer, field: Field) -> str | None:
    """Return why a field of this kind cannot be such a range."""
    if field.kind not in (Kind.REAL, Kind.INTEGER):
        return f"cannot be a range: it must be {field.bounds}; write {{values: [...]}}"
    if field.kind is Kind.REAL and isinstance(domain, Integer):
        ends = f"{{min: {spelled(float(domain.low))}, max: {spelled(float(domain.high))}}}"
        return f"is a real number, and integer bounds mean integers; write {ends}"
    if field.kind is Kind.INTEGER and isinstance(domain, Real):
        return f"is an integer, so both bounds must be integers, not {spelled(domain.low)} and {spelled(domain.high)}"
    return None


def _real(domain: Domain) -> Domain:
    match domain:
        case Constant(value=value):
            return Constant(_as_float(value))
        case Listed(values=values):
            return Listed(tuple(map(_as_float, values)))
    return domain


def _as_float(value: object) -> object:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
