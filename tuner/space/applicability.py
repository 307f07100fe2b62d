"""Whether the parameters of a built-in trainable are searched only where they have an effect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tuner.facts.fields import Field, condition
from tuner.space.conditions import Entries, ancestors, combine, listed
from tuner.space.domains import Constant, spelled
from tuner.space.entries import Entry
from tuner.space.nodes import equal
from tuner.space.problems import Reporter
from tuner.space.space import with_defaults


def check_applicability(
    entries: Entries, broken: frozenset[str], fields: Mapping[str, Field], report: Reporter
) -> None:
    """Report each alternative that can be active where its field does not apply, with the ``when`` that is missing.

    Warn of a field that conditions leave to its default in some configurations where it applies.

    Args:
        entries: Those of ``parameters``, parents before children, conditions checked.
        broken: Names in ``parameters`` whose entries could not be read; what depends on them goes unchecked.
        fields: All fields of the trainable; a parent that ``parameters`` lacks has its default.
        report: Takes the problems.
    """
    for name, entry in entries.items():
        parents = with_parents(fields[name].applies, fields)
        if not broken.isdisjoint(parents):
            continue
        ranges = [parent for parent in parents if parent in entries and not listed(entries[parent])]
        if ranges:
            report.error(entry.key, f"'{name}' depends on '{ranges[0]}', which must have listed or fixed values")
            continue
        for index, wanted in _missing(entry, entries, {parent: fields[parent] for parent in parents}, fields[name]):
            report.error(entry.place(index, "value"), _message(entry, index, wanted, entries, fields))
        left = _left_to_default(entry, entries, {parent: fields[parent] for parent in parents}, fields[name])
        if left is not None:
            report.warn(entry.key, left)


def with_parents(names: Iterable[str], fields: Mapping[str, Field]) -> tuple[str, ...]:
    """Return fields with those that decide whether they apply and what their defaults are, in the table's order."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [*fields[name].applies, *fields[name].default_by]
    return tuple(name for name in fields if name in found)


def _missing(
    entry: Entry, entries: Entries, parents: Mapping[str, Field], field: Field
) -> list[tuple[int, dict[str, tuple[object, ...]]]]:
    """Return for each alternative that goes too far the parents that it must ask for, and their values."""
    wanted: dict[int, dict[str, tuple[object, ...]]] = {}
    closure = ancestors([*parents, *entry.parameter.parents], entries)
    for config in combine(closure, entries):
        index = entry.parameter.active(config)
        if index is None:
            continue
        values = with_defaults(config, parents)
        for parent, allowed in field.applies.items():
            if not any(equal(values.get(parent), value) for value in allowed):
                wanted.setdefault(index, {})[parent] = allowed
    return sorted(wanted.items())


def _left_to_default(entry: Entry, entries: Entries, parents: Mapping[str, Field], field: Field) -> str | None:
    """Return, in words, the first combination of parents under which a field applies and its entry is inactive."""
    for config in combine(ancestors([*parents, *entry.parameter.parents], entries), entries):
        values = with_defaults(config, parents)
        if entry.parameter.active(config) is None and field.applies_to(values):
            decided = [name for name in config if name in entry.parameter.parents]
            under = " and ".join(f"{name} is {spelled(config[name])}" for name in decided) or "its parents are inactive"
            default = spelled(field.default_for(values))
            return f"'{field.name}' applies where {under} as well, and is left at its default there, {default}"
    return None


def _message(
    entry: Entry,
    index: int,
    wanted: Mapping[str, tuple[object, ...]],
    entries: Entries,
    fields: Mapping[str, Field],
) -> str:
    name = entry.parameter.name
    rule = " and ".join(condition(fields[parent], values) for parent, values in wanted.items())
    lead = f"'{name}' applies only where {rule}"
    absent = next((parent for parent in wanted if parent not in entries), None)
    if absent is not None:
        return f"{lead}; put '{absent}' into parameters, it is {spelled(fields[absent].default)} by default"
    possible = {parent: _possible(values, entries[parent]) for parent, values in wanted.items()}
    if not all(possible.values()):
        return f"{lead}, which it never is here; leave '{name}' out"
    alternative = entry.parameter.alternatives[index]
    when = ", ".join(f"{parent}: {_choice(values)}" for parent, values in {**alternative.when, **possible}.items())
    if isinstance(alternative.domain, Constant) and not alternative.when:
        return f"{lead}; write {{value: {alternative.domain.text}, when: {{{when}}}}}"
    return f"{lead}; {'make it' if alternative.when else 'add'} when: {{{when}}}"


def _possible(values: tuple[object, ...], parent: Entry) -> tuple[object, ...]:
    if not parent.key.in_file:  # the file's condition should say what holds without the option as well
        return values
    domains = [item.domain for item in parent.parameter.alternatives]
    return tuple(value for value in values if any(domain.contains(value) for domain in domains))


def _choice(values: tuple[object, ...]) -> str:
    return spelled(values[0]) if len(values) == 1 else f"[{', '.join(map(spelled, values))}]"
