"""``require:`` and ``search.points``: what is said about whole configurations."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from tuner.facts.fields import Field
from tuner.space.applicability import with_parents
from tuner.space.domains import Listed, Real, spelled
from tuner.space.expressions import Expression, ExpressionError, parse
from tuner.space.nodes import equal
from tuner.space.problems import Place, Reporter, suggestion
from tuner.space.sampling import draw, sample
from tuner.space.space import Space, with_defaults
from tuner.space.yaml_nodes import Node

#: Random configurations on which each condition must have a value.
_TRIED = 50


def read_constraints(
    node: Node | None, names: frozenset[str], fields: Mapping[str, Field], report: Reporter
) -> list[tuple[Node, Expression]]:
    """Return the conditions of ``require:``, each with its node.

    Args:
        node: The list of texts; None or null is none.
        names: What stands in ``parameters``.
        fields: The built-in trainable's fields; one that ``parameters`` lacks has its default.
        report: Takes the problems.
    """
    if node is None or node.content is None:
        return []
    if node.items is None:
        report.error(node.place, 'require must be a list of conditions, such as ["warmup_epochs < epochs"]')
        return []
    found = []
    for item in node.items:
        if not isinstance(item.content, str):
            report.error(item.place, f"a condition must be text, not {spelled(item.plain)}")
            continue
        try:
            expression = parse(item.content)
        except ExpressionError as error:
            report.error(item.place.inside(item.content, error.offset), f"this is no condition: {error}")
            continue
        unknown = sorted(expression.names - names - fields.keys())
        for name in unknown:
            found_at = re.search(rf"\b{name}\b", item.content)
            place = item.place.inside(item.content, found_at.start() if found_at else 0)
            report.error(place, f"'{name}' does not stand in parameters{suggestion(name, names)}")
        if not unknown:
            found.append((item, expression))
    return found


def constrained(
    space: Space, constraints: Iterable[tuple[Node, Expression]], fields: Mapping[str, Field], report: Reporter
) -> Space:
    """Return a space with constraints; reports those that have no value."""
    given = tuple(constraints)
    if not given:
        return space
    mentioned = frozenset().union(*(expression.names for _, expression in given))
    defaults = with_parents((name for name in mentioned if name in fields), fields)
    space = replace(
        space,
        constraints=tuple(expression for _, expression in given),
        defaults={**space.defaults, **{name: fields[name] for name in defaults if name not in space.parameters}},
    )
    generator = random.Random(0)
    tried = [space.configure(lambda _, domain: draw(domain, generator)) for _ in range(_TRIED)]
    for node, expression in given:
        problem = _no_value(expression, [with_defaults(config, space.defaults) for config in tried])
        if problem is not None:
            report.error(node.place, problem)
    return space


def check_satisfiable(space: Space, place: Place, report: Reporter) -> None:
    """Report a space whose constraints and rules leave nothing of it."""
    if not (space.constraints or space.rules) or sample(space, random.Random(0)) is not None:
        return
    if space.size() == 0:
        report.error(place, "no configuration fulfils what is required")
    else:
        report.warn(place, "none of a thousand random configurations fulfils what is required")


def read_points(node: Node | None, space: Space, report: Reporter) -> tuple[dict[str, object], ...]:
    """Return the configurations of ``search.points``, full or partial; reports those that the space does not hold."""
    if node is None or node.content is None:
        return ()
    if node.items is None or any(item.mapping is None for item in node.items):
        report.error(node.place, "points must be a list of mappings from parameters to values")
        return ()
    points = []
    for item in node.items:
        point = item.plain
        wrong = space.admits(point)
        if wrong is not None:
            report.error(item.place, wrong)
        points.append({name: as_drawn(space, name, value) for name, value in point.items()})
    return tuple(points)


def as_drawn(space: Space, name: str, value: object) -> object:
    """Return a point's value as the sampler would draw it: a range of reals has 1.0 for 1, a list its own spelling."""
    parameter = space.parameters.get(name)
    for item in parameter.alternatives if parameter is not None else ():
        match item.domain:
            case Real() if isinstance(value, int) and not isinstance(value, bool):
                return float(value)
            case Listed(values=values) if item.domain.contains(value):
                return next(listed for listed in values if equal(listed, value))
    return value


def _no_value(expression: Expression, configs: list[dict[str, object]]) -> str | None:
    for config in configs:
        if not expression.names <= config.keys():
            continue
        try:
            value = expression.evaluate(config)
        except ValueError as error:
            values = ", ".join(f"{name} {spelled(config[name])}" for name in sorted(expression.names))
            return f"this has no value under {values}: {error}"
        if not isinstance(value, bool):
            return f"this is no condition: its value is {spelled(value)}, not true or false"
    return None
