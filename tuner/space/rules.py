"""The rules between fields of a built-in trainable, which every configuration of a space keeps."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace

from tuner.facts.fields import Field, Rule
from tuner.space.applicability import with_parents
from tuner.space.conditions import Entries, ancestors, combine, listed
from tuner.space.domains import spelled
from tuner.space.problems import Reporter
from tuner.space.sampling import draw
from tuner.space.space import Space, with_defaults

#: Random configurations that are looked at for values that never come up.
_TRIED = 300
#: How many of them must have a value before its absence says anything.
_ENOUGH = 8


def with_rules(space: Space, entries: Entries, fields: Mapping[str, Field], report: Reporter) -> Space:
    """Return a space whose configurations keep the rules; reports each that the given values can never keep.

    A rule that some values keep and others break is no error: what breaks it is not proposed.

    Args:
        space: Without rules.
        entries: Those of ``parameters``, parents before children.
        fields: All fields of the trainable; a field that ``parameters`` lacks has its default.
        report: Takes the problems.
    """
    rules = [rule for item in fields.values() for rule in item.rules if not entries.keys().isdisjoint(_all_of(rule))]
    for rule in rules:
        if _never_holds(rule, entries, fields):
            culprit = next(name for name in reversed(list(entries)) if name in _all_of(rule))
            report.error(entries[culprit].key, rule.says)
    needed = with_parents((name for rule in rules for name in _all_of(rule)), fields)
    return replace(
        space, rules=tuple(rules), defaults={name: fields[name] for name in needed if name not in space.parameters}
    )


def warn_of_excluded(space: Space, entries: Entries, report: Reporter) -> None:
    """Warn of listed values that a rule keeps out of every configuration, as far as random ones tell.

    Such as ``freeze_backbone: {values: [false, true]}`` beside a range of ``drop_path`` that holds everywhere.
    """
    if not space.rules:
        return
    generator = random.Random(0)
    tried = [space.configure(lambda _, domain: draw(domain, generator)) for _ in range(_TRIED)]
    broken = [space.broken_rule(config) for config in tried]
    for name in (name for name, entry in entries.items() if listed(entry) and entry.parameter.size != 1):
        reasons: dict[str, list[Rule | None]] = {}
        for config, rule in zip(tried, broken, strict=True):
            if name in config:
                reasons.setdefault(spelled(config[name]), []).append(rule)
        for value, found in reasons.items():
            first = found[0]
            if first is not None and len(found) >= _ENOUGH and all(found):
                report.warn(entries[name].key, f"'{name}' is never {value} here: {first.says}")


def _all_of(rule: Rule) -> frozenset[str]:
    return rule.names | rule.reads


def _never_holds(rule: Rule, entries: Entries, fields: Mapping[str, Field]) -> bool:
    """Return whether every combination of the values that a rule looks at breaks it; ranges are not looked into."""
    needed = with_parents(_all_of(rule), fields)
    closure = ancestors(needed, entries)
    if not all(listed(entries[name]) for name in closure):
        return False
    defaults = {name: fields[name] for name in needed}
    configs = [with_defaults(config, defaults) for config in combine(closure, entries)]
    about = [config for config in configs if rule.names <= config.keys()]
    return bool(about) and not any(rule.holds(config) for config in about)
