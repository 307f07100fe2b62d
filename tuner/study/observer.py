"""Who shows people what a search does."""

from __future__ import annotations

from typing import Protocol

from tuner.journal.events import Event
from tuner.search.ledger import Ledger
from tuner.space.searchfile import SearchFile


class Observer(Protocol):
    """Shows people what a search does. All is called in the driver's thread."""

    def notice(self, text: str) -> None:
        """Something worth a line: a warning, a mended log, where results go."""

    def started(self, file: SearchFile, ledger: Ledger, concurrent: int) -> None:
        """The search begins to run ``concurrent`` trials side by side."""

    def heard(self, event: Event) -> None:
        """The log has a new event."""

    def tick(self) -> None:
        """Called many times a second."""

    def ended(self) -> None:
        """The search no longer runs."""


class Silent:
    """An observer that shows nothing."""

    def notice(self, text: str) -> None:
        """Say nothing."""

    def started(self, file: SearchFile, ledger: Ledger, concurrent: int) -> None:
        """Show nothing."""

    def heard(self, event: Event) -> None:
        """Show nothing."""

    def tick(self) -> None:
        """Show nothing."""

    def ended(self) -> None:
        """Show nothing."""
