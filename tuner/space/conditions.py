"""The conditions between entries: parents exist and can be listed, no cycles, every alternative can be taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice

from tuner.facts.fields import Field
from tuner.space.domains import Constant, Listed, spelled
from tuner.space.entries import Entry
from tuner.space.parameters import Parameter
from tuner.space.problems import Reporter, suggestion
from tuner.space.space import assignments

#: Combinations of parents' values that are looked at; what a file with more of them holds beyond goes unchecked.
MAX_COMBINATIONS = 10_000

Entries = Mapping[str, Entry]


def with_parents_checked(
    entries: Entries, broken: frozenset[str], fields: Mapping[str, Field], report: Reporter
) -> Entries:
    """Return the entries whose parents exist, can be listed and have the values asked for, all the way up.

    Args:
        entries: All of them that could be read.
        broken: Names of those that could not; who depends on them is left out without a word.
        fields: The built-in trainable's fields; none for one's own.
        report: Takes the problems.
    """
    wrong = set(broken)
    for name, entry in entries.items():
        for index, alternative in enumerate(entry.parameter.alternatives):
            for parent, values in alternative.when.items():
                problem = None if parent in broken else _parent_problem(name, parent, values, entries, fields)
                if problem is not None:
                    report.error(entry.place(index, "when", parent), problem)
                    wrong.add(name)
    while lost := [name for name, entry in entries.items() if name not in wrong and entry.parameter.parents & wrong]:
        wrong.update(lost)
    return {name: entry for name, entry in entries.items() if name not in wrong}


def in_order(entries: Entries, report: Reporter) -> dict[str, Entry]:
    """Return the entries with parents before children, else in the file's order; reports a cycle and leaves it out."""
    placed: dict[str, Entry] = {}
    waiting = dict(entries)
    while waiting:
        ready = []
        for name, entry in waiting.items():
            if entry.parameter.parents <= placed.keys():
                placed[name] = entry
                ready.append(name)
        if not ready:
            circle = _circle(waiting)
            report.error(waiting[circle[0]].key, f"the conditions go in a circle: {' needs '.join(circle)}")
            break
        for name in ready:
            del waiting[name]
    return placed


def taken(entries: Entries, report: Reporter) -> dict[str, Entry]:
    """Return the entries without the alternatives that no combination of parents takes.

    Such an alternative is an error, unless an option of the command line narrowed its parents: then the search has
    become smaller as it was meant to, and the alternative is left out.

    Args:
        entries: Parents before children.
        report: Takes the problems.
    """
    found: dict[str, Entry] = {}
    for name, entry in entries.items():
        parents = ancestors(entry.parameter.parents, entries)
        combinations = list(combine(parents, entries))
        active = {entry.parameter.active(config) for config in combinations}
        indices = range(len(entry.parameter.alternatives))
        idle = [index for index in indices if index not in active]
        if len(combinations) >= MAX_COMBINATIONS or not idle:
            found[name] = entry
            continue
        if all(entries[parent].key.in_file for parent in parents):
            for index in idle:
                possible = any(entry.parameter.alternatives[index].holds(config) for config in combinations)
                reason = "an earlier alternative is taken wherever it holds" if possible else "this can never hold"
                report.error(entry.place(index, "when"), f"{reason}, so this alternative of '{name}' is never used")
        kept = [index for index in indices if index in active]
        if kept:
            alternatives = tuple(entry.parameter.alternatives[index] for index in kept)
            nodes = tuple(entry.nodes[index] for index in kept)
            found[name] = replace(entry, parameter=Parameter(name, alternatives), nodes=nodes)
    return found


def ancestors(names: Iterable[str], entries: Entries) -> frozenset[str]:
    """Return those of some names that have entries, with their parents, the parents' parents and so on."""
    found: set[str] = set()
    waiting = [name for name in names if name in entries]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += entries[name].parameter.parents
    return frozenset(found)


def combine(names: frozenset[str], entries: Entries) -> Iterator[dict[str, object]]:
    """Yield the combinations of values of some parents, at most ``MAX_COMBINATIONS``.

    Args:
        names: Closed under parents.
        entries: Parents before children.
    """
    return islice(assignments(entry.parameter for name, entry in entries.items() if name in names), MAX_COMBINATIONS)


def listed(entry: Entry) -> bool:
    """Return whether an entry has listed or fixed values alone, so that it can be a parent."""
    return all(isinstance(item.domain, (Constant, Listed)) for item in entry.parameter.alternatives)


def _parent_problem(
    name: str, parent: str, values: tuple[object, ...], entries: Entries, fields: Mapping[str, Field]
) -> str | None:
    if parent == name:
        return f"'{name}' cannot be its own parent"
    if parent not in entries:
        hint = "; put it there, fixed or listed" if parent in fields else suggestion(parent, entries)
        return f"the parent '{parent}' does not stand in parameters{hint}"
    if not listed(entries[parent]):
        return f"the parent '{parent}' is a range; a parent has listed or fixed values"
    domains = [item.domain for item in entries[parent].parameter.alternatives]
    never = [value for value in values if not any(domain.contains(value) for domain in domains)]
    if len(never) < len(values) and parent in fields:  # only what it could never be in any file is a slip
        never = [value for value in never if fields[parent].problem(value) is not None]
    if not never or not entries[parent].key.in_file:
        return None
    possible = list(dict.fromkeys(spelled(value) for domain in domains for value in domain))
    lead = "this can never hold: " if len(never) == len(values) else ""
    near = suggestion(never[0], possible) if isinstance(never[0], str) else ""
    return f"{lead}'{parent}' is never {spelled(never[0])}, only {' or '.join(possible)}{near}"


def _circle(waiting: Entries) -> list[str]:
    """Return names of which each needs the next, the last being the first; all that wait for one another."""
    path = [next(iter(waiting))]
    while True:
        following = min(name for name in waiting[path[-1]].parameter.parents if name in waiting)
        if following in path:
            return [*path[path.index(following) :], following]
        path.append(following)
