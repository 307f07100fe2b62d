"""A search that begins with what earlier ones know: their names in a search file, and which configurations it takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tuner.space.constraints import as_drawn
from tuner.space.points import refusal
from tuner.space.problems import Reporter
from tuner.space.space import Space
from tuner.space.yaml_nodes import Node

#: How many configurations a search takes over, of all earlier ones together. Of 3, 5 and 10 none was clearly best in
#: replays; with those between them, 5 fill the ten random trials that tpe begins with.
CONFIGURATIONS = 5


def read_warm_start(node: Node | None, name: str, report: Reporter) -> tuple[str, ...]:
    """Return the names in ``search.warm_start``; reports what cannot be names of earlier searches.

    Args:
        node: What the file says; None or null names nothing.
        name: Of the search itself.
        report: Takes the problems.
    """
    if node is None or node.content is None:
        return ()
    names = node.plain
    if not isinstance(names, list) or not all(isinstance(item, str) for item in names):
        report.error(node.place, "'warm_start' must be a list of names of earlier searches, such as [proxy]")
        return ()
    if name in names:
        report.error(node.place, f"'warm_start' names this search itself, '{name}'; it takes earlier ones")
    if twice := [item for item in names if names.count(item) > 1]:
        report.error(node.place, f"'warm_start' names '{twice[0]}' twice")
    return tuple(names)


def fitting(config: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """Return what of an earlier search's configuration holds in a space: values of searched parameters.

    A value that does not fit, by itself or with those before it, is left out, and so left to the sampler; with a parent
    its children are, which meant something under that parent's value.
    """
    point: dict[str, Any] = {}
    fixed = space.parameters.keys() - set(space.searched)
    for name in space.searched:  # parents before children
        if name in config and space.parameters[name].parents <= {*point, *fixed}:
            further = {**point, name: as_drawn(space, name, config[name])}
            point = further if space.admits(further) is None else point
    return point


def chosen(
    searches: Sequence[Iterable[Mapping[str, Any]]], space: Space, count: int = CONFIGURATIONS
) -> list[dict[str, Any]]:
    """Return what a search begins with, as partial points that differ.

    Scores of different searches do not compare, so that these take turns: the best of each, then the next of each.

    Args:
        searches: The configurations of each, the best first.
        space: Of the search that begins.
        count: How many at most.
    """
    left = [iter(search) for search in searches]
    points: list[dict[str, Any]] = []
    while left and len(points) < count:
        for search in tuple(left):
            found = (fitting(config, space) for config in search)
            point = next((item for item in found if item and item not in points and not refusal(item, space)), None)
            if point is None:
                left.remove(search)
            else:
                points.append(point)
    return points[:count]
