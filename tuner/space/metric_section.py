"""The section ``metric``: what a search makes better, one number or a list of them."""

from __future__ import annotations

from collections.abc import Mapping

from tuner.facts.records import RESERVED_NAMES, SUMMED_UP, Goal, Metric
from tuner.space.problems import Place, Reporter, suggestion
from tuner.space.sections import SECTIONS, Section, keys_of, read_section
from tuner.space.yaml_nodes import Node

#: What a built-in trainable reports at every epoch and can be searched by, and which way is better.
QUALITIES: Mapping[str, Goal] = {
    "val_accuracy": Goal.MAXIMIZE,
    "val_loss": Goal.MINIMIZE,
    "train_accuracy": Goal.MAXIMIZE,
    "train_loss": Goal.MINIMIZE,
    "generalization_gap": Goal.MINIMIZE,
}


def read_metrics(node: Node | None, report: Reporter, *, whole: Place, builtin: bool) -> tuple[Metric, ...]:
    """Return the metrics, at least one; the first is judged at every epoch and ranks.

    Args:
        node: The section: a mapping, or a list of them; None leaves it at its default.
        report: Takes the problems.
        whole: Stands for what the file does not say.
        builtin: Whether the trainable is a built-in one, whose numbers are known.
    """
    items = None if node is None else node.items
    if items is None:
        return (_metric(_section(node, report), report, whole, builtin=builtin),)
    assert node is not None
    if not items:
        report.error(node.place, "'metric' needs at least one metric")
    found: list[Metric] = []
    for item in items:
        section = _section(item, report)
        if "name" not in section.nodes:
            if item.content is None or item.mapping is not None:
                report.error(item.place, "'name' is missing: each metric of a list has one")
            continue
        metric = _metric(section, report, item.place, builtin=builtin, further=bool(found))
        if metric.name in {other.name for other in found}:
            report.error(section.nodes["name"].place, f"'{metric.name}' stands in 'metric' twice")
        found.append(metric)
    return tuple(found) or (_metric(_section(None, report), report, whole, builtin=builtin),)


def _section(node: Node | None, report: Reporter) -> Section:
    return read_section(node, SECTIONS["metric"], keys_of("metric"), report)


def _metric(section: Section, report: Reporter, place: Place, *, builtin: bool, further: bool = False) -> Metric:
    name, goal = section.values["name"], Goal(section.values["goal"])
    named, given = section.nodes.get("name"), section.nodes.get("goal")
    at = place if named is None else named.place
    known = {**QUALITIES, **SUMMED_UP} if further else QUALITIES
    if not builtin:
        if given is None and named is not None:
            report.error(at, "'goal' is missing: is more better (maximize) or less (minimize)?")
        if further and name in RESERVED_NAMES - known.keys():
            report.error(at, f"'{name}' is a column of the leaderboard with a meaning of its own; report another name")
    elif name in known:
        if given is not None and goal is not known[name]:
            report.error(given.place, f"the goal of {name} must be {known[name]}, not {goal}")
        goal = known[name]
    elif name in SUMMED_UP:
        report.error(at, f"'{name}' is known at a trial's end; the first metric is judged at every epoch")
    else:
        report.error(at, f"unknown metric '{name}'; it is one of {', '.join(known)}{suggestion(name, tuple(known))}")
    return Metric(name, goal)
