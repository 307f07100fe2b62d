"""The section ``parameters:`` to a space: names, entries, fields' bounds, conditions, and what looks like a slip."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tuner.facts.fields import Field, Kind
from tuner.facts.records import METRIC_PREFIX, RESERVED_NAMES
from tuner.space.applicability import check_applicability
from tuner.space.conditions import in_order, taken, with_parents_checked
from tuner.space.domains import Constant, Integer, Real
from tuner.space.entries import Entry, read_entry
from tuner.space.expressions import KEYWORDS
from tuner.space.fits import fit
from tuner.space.problems import Reporter, suggestion
from tuner.space.space import Space
from tuner.space.yaml_nodes import Node

MAX_PARAMETERS = 1000
#: Ranges above this factor are better searched in their logarithm.
WIDE = 100

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SEED = Field("seed", Kind.INTEGER, 0, "Seed of the trial.", minimum=0, maximum=2**31 - 1)


@dataclass(frozen=True)
class ParametersSection:
    """What ``parameters:`` says.

    Attributes:
        names: All names that stand there.
        entries: Those that make sense, parents before children.
        whole: Whether that is all of them.
        good: Whether nothing was wrong with them.
    """

    names: frozenset[str]
    entries: Mapping[str, Entry]
    whole: bool
    good: bool

    @property
    def space(self) -> Space:
        """Return the space of the entries, without constraints."""
        return Space({name: entry.parameter for name, entry in self.entries.items()})


def read_parameters(node: Node | None, fields: Mapping[str, Field] | None, report: Reporter) -> ParametersSection:
    """Return what ``parameters:`` says; reports everything that is wrong with it.

    Args:
        node: The section; None or null is empty.
        fields: The built-in trainable's fields; None for one's own trainable, whose parameters may have any name.
        report: Takes the problems.
    """
    given = {} if node is None or node.content is None else node.mapping
    if given is None or len(given) > MAX_PARAMETERS:
        assert node is not None
        report.error(node.place, f"parameters must be a mapping of at most {MAX_PARAMETERS} names to values")
        return ParametersSection(frozenset(), {}, whole=False, good=False)
    before = report.errors
    entries: dict[str, Entry] = {}
    for name, item in given.items():
        wrong = _name_problem(name, fields)
        if wrong is not None:
            report.error(item.key or item.place, wrong)
        elif (entry := read_entry(name, item, report)) is not None:
            field = {"seed": _SEED}.get(name) if fields is None else fields[name]
            entries[name] = entry if field is None else fit(entry, field, report)
    broken = frozenset(given.keys() - entries.keys())
    checked = with_parents_checked(entries, broken, fields or {}, report)
    ordered = in_order(checked, report)
    whole = len(ordered) == len(given)
    ordered = taken(ordered, report)
    if fields is not None:
        check_applicability(ordered, frozenset(given.keys() - checked.keys()), fields, report)
    for entry in ordered.values():
        _warn(entry, fields is None, report)
    return ParametersSection(frozenset(given), ordered, whole, good=report.errors == before)


def budget(section: ParametersSection, fields: Mapping[str, Field], report: Reporter) -> int:
    """Return the epochs of a trial of a built-in trainable; reports a budget that is not fixed."""
    default = int(fields["epochs"].default)
    entry = section.entries.get("epochs")
    if entry is None:
        return default
    only = entry.parameter.alternatives[0]
    if len(entry.parameter.alternatives) > 1 or only.when or not isinstance(only.domain, Constant):
        report.error(
            entry.key, "'epochs' must be fixed, such as epochs: 27: trials are compared at epochs of one budget"
        )
        return default
    value = only.domain.value
    return value if isinstance(value, int) else default


def _name_problem(name: str, fields: Mapping[str, Field] | None) -> str | None:
    if fields is not None and name in fields:
        return None
    if _IDENTIFIER.fullmatch(name) is None:
        return f"a parameter's name has letters, digits and '_' and begins with no digit, unlike '{name}'"
    if name in RESERVED_NAMES or name.startswith(METRIC_PREFIX):
        return f"'{name}' is a column of the leaderboard, so no parameter can have this name"
    if name in KEYWORDS:
        return f"'{name}' is a word of conditions, so no parameter can have this name"
    return None if fields is None else f"unknown hyperparameter '{name}'{suggestion(name, fields)}"


def _warn(entry: Entry, own: bool, report: Reporter) -> None:
    for node, alternative in zip(entry.nodes, entry.parameter.alternatives, strict=True):
        warning = _slip(alternative.domain, own) if isinstance(alternative.domain, (Real, Integer)) else None
        if warning is not None:
            report.warn(node.place, f"'{entry.parameter.name}' {warning}")


def _slip(domain: Real | Integer, own: bool) -> str | None:
    if own and isinstance(domain, Integer) and (domain.low, domain.high) == (0, 1):
        return "is 0 or 1 and nothing between: both bounds are integers; for reals write {min: 0.0, max: 1.0}"
    if domain.low > 0 and domain.high > WIDE * domain.low and not domain.log and domain.step is None:
        return f"spans more than a factor of {WIDE}; 'log: true' would search small values as well as large ones"
    return None
