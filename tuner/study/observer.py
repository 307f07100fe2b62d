"""Who shows people what a driver does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tuner.facts.records import Metric
from tuner.journal.events import Event
from tuner.journal.history import Trial
from tuner.search.ledger import Ledger
from tuner.space.searchfile import Resources


@dataclass(frozen=True)
class Work:
    """What a driver works off, as far as people are shown it.

    Attributes:
        title: One word or two before everything else.
        concurrent: How many run side by side.
        resources: What each takes.
        how: What decides, in a few words.
        metric: What is looked at.
        max_epochs: Budget of a trial, or None where nothing bounds it.
        time_budget: Seconds, or None.
        noun: What one of them is called.
        label: A trial to how it is named.
        contest: Whether the best of them is what is looked for.
    """

    title: str
    concurrent: int
    resources: Resources
    how: str
    metric: Metric
    max_epochs: int | None
    time_budget: float | None = None
    noun: str = "trial"
    label: Callable[[Trial], str] = lambda trial: f"trial {trial.number}"
    contest: bool = True


class Observer(Protocol):
    """Shows people what a driver does. All is called in the driver's thread."""

    def notice(self, text: str) -> None:
        """Something worth a line: a warning, a mended log, where results go."""

    def started(self, work: Work, ledger: Ledger) -> None:
        """Trials begin to run."""

    def heard(self, event: Event) -> None:
        """The log has a new event."""

    def tick(self) -> None:
        """Called many times a second."""

    def ended(self) -> None:
        """Trials no longer run."""


class Silent:
    """An observer that shows nothing."""

    def notice(self, text: str) -> None:
        """Say nothing."""

    def started(self, work: Work, ledger: Ledger) -> None:
        """Show nothing."""

    def heard(self, event: Event) -> None:
        """Show nothing."""

    def tick(self) -> None:
        """Show nothing."""

    def ended(self) -> None:
        """Show nothing."""
