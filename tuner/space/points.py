"""A configuration that people give while a search goes on, full or partial: read, and held against the space."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tuner.space.constraints import as_drawn
from tuner.space.domains import Domain
from tuner.space.problems import Place, Reporter, suggestion
from tuner.space.sampling import MAX_DRAWS, draw
from tuner.space.space import Space
from tuner.space.yaml_nodes import read_yaml

_OPEN = object()


def pointed(choose: Callable[[str, Domain], Any], point: Mapping[str, Any]) -> Callable[[str, Domain], Any]:
    """Return the choices of a given point, and those of ``choose`` where it says nothing."""

    def chosen(key: str, domain: Domain) -> Any:
        value = point.get(key.partition("@")[0], _OPEN)
        return value if value is not _OPEN and domain.contains(value) else choose(key, domain)

    return chosen


def read_point(texts: Sequence[str], space: Space) -> dict[str, Any]:
    """Return a configuration.

    Args:
        texts: ``NAME=VALUE``, VALUE read as YAML.
        space: What may be proposed.

    Raises:
        SearchFileError: All that is wrong with the texts one by one; if nothing is, what is wrong with all together.
    """
    report, point = Reporter(), {}
    for text in texts:
        place = Place(text)
        name, equals, value = text.partition("=")
        node = read_yaml(value, text, report, positions=False) if equals else None
        if not equals or not name:
            report.error(place, "a value is given as NAME=VALUE, such as lr=0.1")
        elif name in point:
            report.error(place, f"'{name}' is given twice")
        elif name not in space.parameters:
            report.error(place, f"'{name}' is not in parameters{suggestion(name, space.parameters)}")
        elif node is not None:
            point[name] = as_drawn(space, name, node.plain)
            if (wrong := space.admits({name: point[name]})) is not None:
                report.error(place, wrong)
    report.raise_errors()
    wrong = refusal(point, space)
    if wrong is not None:
        report.error(Place(" ".join(texts)), wrong)
    report.raise_errors()
    return point


def refusal(point: Mapping[str, Any], space: Space) -> str | None:
    """Return why no configuration has these values, as far as is found out, as one sentence; None if one has."""
    if (wrong := space.admits(point)) is not None:
        return wrong
    if space.size() is not None:
        found = any(point.items() <= config.items() for config in space.configurations())
    else:
        found = _drawn(point, space)
    return None if found else "no configuration was found that has these values and keeps 'require'"


def _drawn(point: Mapping[str, Any], space: Space) -> bool:
    generator = random.Random(0)
    for _ in range(10 * MAX_DRAWS):
        config = space.configure(pointed(lambda _, domain: draw(domain, generator), point))
        if point.items() <= config.items() and space.allows(config):
            return True
    return False
