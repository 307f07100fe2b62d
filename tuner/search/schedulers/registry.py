"""Schedulers by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tuner.facts.records import Goal
from tuner.search.schedulers.asha import Asha
from tuner.search.schedulers.exempting import Exempting
from tuner.search.schedulers.hyperband import Hyperband
from tuner.search.schedulers.median import Median
from tuner.search.schedulers.none import RunAll
from tuner.search.schedulers.scheduler import Scheduler
from tuner.search.schedulers.trusting import Trusting
from tuner.space.searchfile import Scheduler as Settings

#: Name in the search file to scheduler.
SCHEDULERS: Mapping[str, Callable[[Settings, Goal], Scheduler]] = {
    "asha": Asha,
    "hyperband": Hyperband,
    "median": Median,
    "none": RunAll,
}


def scheduler_of(settings: Settings, goal: Goal) -> Scheduler:
    """Return the scheduler that a search file describes, fresh."""
    scheduler = SCHEDULERS[settings.type](settings, goal)
    if settings.exempt:
        scheduler = Exempting(scheduler, settings.exempt)
    return Trusting(scheduler, settings, goal) if settings.options.get("min_correlation") else scheduler
