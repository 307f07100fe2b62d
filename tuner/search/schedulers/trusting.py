"""A scheduler whose rungs stop trials only while they are seen to rank them."""

from __future__ import annotations

from collections import defaultdict

from tuner.facts.ranks import spearman
from tuner.facts.records import Decision, Goal, State
from tuner.facts.rungs import is_exempt
from tuner.journal.events import End, Epoch, Event, Rung
from tuner.search.schedulers.scheduler import Scheduler
from tuner.space.searchfile import Scheduler as Settings

#: What is taken for a rung's correlation before any trial has completed, and how many trials that counts for.
_PRIOR, _PRIOR_TRIALS = 0.5, 4


class Trusting:
    """Lets trials go on at a rung whose order says too little of the final one.

    A rung's correlation is Spearman's between the values at it and the final scores of the trials that no rung chose:
    exempt ones, and those that passed each rung while it stopped nothing. Others have passed because they were good,
    and a correlation over them alone would be too low. It is drawn towards 0.5 as by four more trials, so that a few
    decide nothing.
    """

    def __init__(self, scheduler: Scheduler, settings: Settings, goal: Goal) -> None:
        """Args: settings: those of ``scheduler``; with ``min_correlation``, below which a rung stops nothing."""
        self._scheduler = scheduler
        self._goal = goal
        self._rungs = settings.rungs
        self._exempt = settings.exempt
        self._least: float = settings.options["min_correlation"]
        self._chosen: set[int] = set()
        self._values: dict[int, dict[int, float]] = defaultdict(dict)  # of trials that run: at each rung
        self._best: dict[int, float] = {}
        self._pairs: dict[int, list[tuple[float, float]]] = defaultdict(list)  # of rungs: value and final score
        self._known: dict[int, float] = {}

    @property
    def name(self) -> str:
        """That of the scheduler."""
        return self._scheduler.name

    def observe(self, event: Event) -> None:
        """Note what rungs are worth, and pass the event on."""
        match event:
            case Epoch():
                best = self._best.get(event.n)
                if best is None or self._goal.better(event.score, best):
                    self._best[event.n] = event.score
                if event.epoch in self._rungs:
                    self._values[event.n][event.epoch] = event.score
            case Rung() if not is_exempt(event.n, self._exempt) and self.trusts(event.epoch):
                self._chosen.add(event.n)
            case End():
                self._end(event)
        self._scheduler.observe(event)

    def judge(self, n: int, epoch: int, value: float) -> Decision | None:
        """Return what the scheduler says, but CONTINUE at a rung that is not trusted."""
        decision = self._scheduler.judge(n, epoch, value)
        return decision if decision is None or self.trusts(epoch) else Decision.CONTINUE

    def trusts(self, rung: int) -> bool:
        """Return whether a rung may stop trials now."""
        if rung not in self._known:
            pairs = self._pairs[rung]
            measured = spearman(pairs) or 0.0
            self._known[rung] = (_PRIOR_TRIALS * _PRIOR + len(pairs) * measured) / (_PRIOR_TRIALS + len(pairs))
        return self._known[rung] >= self._least

    def _end(self, end: End) -> None:
        values, best = self._values.pop(end.n, {}), self._best.pop(end.n, None)
        if end.state is State.COMPLETED and best is not None and end.n not in self._chosen:
            for rung, value in values.items():
                self._pairs[rung].append((value, best))
                self._known.pop(rung, None)
        self._chosen.discard(end.n)
