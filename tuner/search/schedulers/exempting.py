"""A scheduler from which a share of the trials is exempt."""

from __future__ import annotations

from dataclasses import replace

from tuner.facts.records import Decision, State
from tuner.facts.rungs import is_exempt
from tuner.journal.events import End, Event, Rung
from tuner.search.schedulers.scheduler import Scheduler


class Exempting:
    """Lets a share of the trials go on where a scheduler would stop them, so that it is seen what stopping costs.

    The scheduler hears that they were stopped, and nothing of them after that: all others are judged as they would be
    if nobody were exempt. The log says at which epoch an exempt trial would have been stopped.
    """

    def __init__(self, scheduler: Scheduler, share: float) -> None:
        """Args: share: of the trials, above 0 and below 1."""
        self._scheduler = scheduler
        self._share = share
        self._let_off: set[int] = set()

    @property
    def name(self) -> str:
        """That of the scheduler."""
        return self._scheduler.name

    def observe(self, event: Event) -> None:
        """Pass on what the scheduler would hear if it had its way."""
        if event.n in self._let_off:
            return
        if isinstance(event, Rung) and event.decision is Decision.EXEMPT:
            self._let_off.add(event.n)
            self._scheduler.observe(replace(event, decision=Decision.STOP))
            event = End(at=event.at, n=event.n, attempt=event.attempt, state=State.STOPPED, stop_reason=self.name)
        self._scheduler.observe(event)

    def judge(self, n: int, epoch: int, value: float) -> Decision | None:
        """Return what the scheduler says, EXEMPT for the first STOP of an exempt trial, and nothing after that."""
        if n in self._let_off:
            return None
        decision = self._scheduler.judge(n, epoch, value)
        return Decision.EXEMPT if decision is Decision.STOP and is_exempt(n, self._share) else decision
