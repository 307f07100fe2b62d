"""Whether the settings of a sampler or scheduler belong to the one that a file chooses, and suit its space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tuner.space.algorithms import CHOOSERS, FOR_SEVERAL, OFF, SINGLE, defaults_of, listing
from tuner.space.domains import Real
from tuner.space.entries import Entry
from tuner.space.problems import Place, Reporter
from tuner.space.sections import SECTIONS, Section
from tuner.space.space import MAX_COUNTED, Space


def chosen_settings(name: str, section: Section, report: Reporter) -> dict[str, Any]:
    """Return the settings of what a section chooses, those that apply to it alone; report those that do not.

    Args:
        name: ``search`` or ``scheduler``.
        section: What it says.
        report: Takes the problems.
    """
    fields, chooser = SECTIONS[name], CHOOSERS[name]
    chosen, node = section.values[chooser], section.nodes.get(chooser)
    misspelled = node is not None and fields[chooser].problem(node.plain) is not None
    own = defaults_of(name, chosen)
    for key, given in section.nodes.items():
        allowed = fields[key].applies.get(chooser) if key in fields else None
        if allowed and key not in own and chosen != OFF and not misspelled:
            report.error(given.key or given.place, f"'{key}' applies to {listing(allowed)}, not to {chosen}")
    return {key: default if section.values[key] is None else section.values[key] for key, default in own.items()}


def completed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return recorded settings with those filled in that came after they were recorded, at their defaults."""
    filled = dict(settings)
    for name, chooser in CHOOSERS.items():
        section = settings.get(name)
        if isinstance(section, Mapping) and isinstance(section.get(chooser), str):
            filled[name] = {**defaults_of(name, section[chooser]), **section}
    return filled


def check_sampler(
    search: Section,
    options: Mapping[str, Any],
    report: Reporter,
    *,
    space: Space,
    entries: Mapping[str, Entry],
    place: Place,
) -> None:
    """Report what of a space a sampler cannot search, and warn where it would search no better than another.

    Args:
        search: What the section ``search`` says.
        options: The settings of its sampler.
        report: Takes the problems.
        space: Constraints included.
        entries: Where the parameters stand.
        place: Where the sampler stands.
    """
    algorithm, trials = search.values["algorithm"], search.values["trials"]
    if algorithm == "grid":
        _check_grid(space, entries, place, report)
    elif algorithm == "cmaes" and not space.unconditional_ranges:
        report.warn(place, "cmaes moves unconditional ranges, and there is none: tpe draws every parameter")
    elif algorithm == "nsga2" and trials <= (population := options["population_size"]):
        report.warn(place, f"all {trials} trials are random: nsga2 begins after a population of {population}")


def check_several(search: Section, metrics: int, place: Place, report: Reporter) -> None:
    """Report a sampler that follows one metric where there are several."""
    algorithm = search.values["algorithm"]
    if metrics > 1 and algorithm in SINGLE:
        message = f"{algorithm} follows one metric, and there are {metrics}; take one of {', '.join(FOR_SEVERAL)}"
        report.error(place, message)


def _check_grid(space: Space, entries: Mapping[str, Entry], place: Place, report: Reporter) -> None:
    endless = False
    for name, entry in entries.items():
        for index, item in enumerate(entry.parameter.alternatives):
            domain = item.domain
            if isinstance(domain, Real) and domain.size is None:
                missing = "list its 'values'" if domain.log else "give it a 'step', or list its 'values'"
                report.error(entry.place(index, "min"), f"'{name}' has no end of values for a grid; {missing}")
                endless = True
    if not endless and space.size() is None:
        report.error(place, f"a grid has at most {MAX_COUNTED:,} configurations; take larger steps, or qmc")
