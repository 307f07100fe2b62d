"""What ended a search before all its trials were proposed, in words, and how it goes on."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """How people are told of a limit.

    Attributes:
        said: What was found, as a sentence without its end.
        larger: What to type for a larger limit.
        amount: What the limit's value is, with ``{}`` in the value's place.
    """

    said: str
    larger: str
    amount: str


#: Name of a limit to its words.
LIMITS: Mapping[str, Words] = {
    "time_budget": Words("its time budget is used up", "--set time_budget=X", "after {} s of active time"),
    "epoch_budget": Words("its budget of epochs is used up", "--set epoch_budget=N", "after {} epochs"),
    "gpu_hours": Words("its GPU hours are used up", "--set gpu_hours=X", "after {} GPU hours"),
    "min_improvement": Words(
        "little improvement is expected of further trials",
        "--set min_improvement=null",
        "once the expected improvement is below {}",
    ),
}


def amounts(limits: Mapping[str, float | None]) -> list[str]:
    """Return the limits that are set, each in words."""
    given = ((LIMITS[name], value) for name, value in limits.items() if value is not None)
    return [words.amount.format(f"{value:,}" if isinstance(value, int) else f"{value:g}") for words, value in given]


def extend_command(name: str, results: str = "results", *words: str) -> str:
    """Return what to type to go on with a search that does not run; ``words`` come last."""
    place = [] if results == "results" else ["--results", results]
    return shlex.join(["tuner", "extend", name, "--trials", "0", *place, *words])


#: Why a finished search has nothing left to do.
NOTHING_LEFT: Mapping[str, str] = {
    "trials": "nothing was run",
    "exhausted": "nothing was run, for every configuration of the space has been tried",
    **{name: f"nothing was run, for {words.said}" for name, words in LIMITS.items()},
}
