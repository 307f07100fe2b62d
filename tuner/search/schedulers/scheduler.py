"""What a scheduler is: it hears the events of the log that count, in order, and nothing else."""

from __future__ import annotations

from typing import Protocol

from tuner.facts.records import Decision
from tuner.journal.events import Event


class Scheduler(Protocol):
    """Judges trials by what the log says of others."""

    @property
    def name(self) -> str:
        """That in the search file, and the stop reason of trials that it stops."""

    def observe(self, event: Event) -> None:
        """Take in the log's next event that counts."""

    def judge(self, n: int, epoch: int, value: float) -> Decision | None:
        """Return what to do with trial ``n``, which reports a metric; asked once for an epoch, before it is heard.

        The decision is written down before anyone hears of it. None, and the trial goes on, where there is none, or
        where it changes nothing that comes after and is worth no line of its own.
        """
