"""What the progress of a driver is made of: counts, the pace, and the best trial so far."""

from __future__ import annotations

import time
from collections import Counter, deque

from tuner.facts.records import State
from tuner.journal.events import End
from tuner.journal.history import Trial
from tuner.journal.ranking import Ranking
from tuner.search.ledger import Ledger
from tuner.study.observer import Work

_RATE_WINDOW_SECONDS = 30.0


class Tally:
    """Counts of trials, kept up event by event; those of earlier drivers are among them."""

    def __init__(self, work: Work, ledger: Ledger) -> None:
        self.work = work
        self.ledger = ledger
        self._ranking = Ranking(work.metric.goal)
        self._epochs: deque[float] = deque()
        self._states: Counter[State] = Counter()
        self._began = time.monotonic()
        self._done_before = 0
        for trial in ledger.history.trials.values():
            if trial.end is not None:
                self._count(trial)
        self._done_before = self.done

    @property
    def done(self) -> int:
        """Ended trials, those of earlier drivers included."""
        return sum(self._states.values())

    @property
    def count(self) -> int:
        """How many trials there will be; may grow."""
        return self.ledger.history.wanted

    def ended(self, event: End) -> Trial:
        """Count an ended trial; returns it."""
        trial = self.ledger.history.trials[event.n]
        self._count(trial)
        return trial

    def epoch(self) -> None:
        """Count an epoch."""
        self._epochs.append(time.monotonic())

    def rate(self) -> float:
        """Return epochs a second over the last half minute."""
        now = time.monotonic()
        while self._epochs and now - self._epochs[0] > _RATE_WINDOW_SECONDS:
            self._epochs.popleft()
        return len(self._epochs) / max(1.0, min(_RATE_WINDOW_SECONDS, now - self._began))

    def states(self) -> dict[str, int]:
        """Return state to count, running first."""
        counts = {"running": len(self.running())} | {str(state): count for state, count in self._states.items()}
        return {state: count for state, count in counts.items() if count}

    def running(self) -> list[Trial]:
        """Return the trials that have not ended."""
        return self.ledger.history.unfinished

    def seconds_left(self) -> float | None:
        """Return the time left at the pace so far, or None before it is known; a time budget bounds it."""
        fresh = self.done - self._done_before
        bounds = []
        if fresh:
            pace = (time.monotonic() - self._began) / fresh
            bounds.append(pace * (self.count - self.done))
        if self.work.time_budget is not None:
            bounds.append(max(0.0, self.work.time_budget - self.ledger.active_seconds))
        return min(bounds, default=None)

    def best_text(self) -> str:
        """Return the best score so far in words."""
        best = self._ranking.best
        if best is None:
            return "no trial has completed yet"
        return f"{self.work.metric.name} {best.score:.4f} (trial {best.number})"

    def is_best(self, number: int) -> bool:
        """Return whether a trial is the best so far, where that is what is looked for."""
        best = self._ranking.best
        return self.work.contest and best is not None and best.number == number

    def _count(self, trial: Trial) -> None:
        self._states[trial.state] += 1
        self._ranking.ended(trial)
