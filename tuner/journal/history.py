"""What a log says happened: trials with their attempts, reports, decisions and ends.

The leaderboard, the sampler's study and the scheduler's rungs are functions of the same events; this fold holds the
rules that all of them share, so that at-least-once execution becomes exactly-once accounting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tuner.facts.records import Decision, Goal, Origin, State
from tuner.journal.events import Add, Ask, Close, End, Epoch, Event, Extend, Open, Respace, Retry, Rung, Start
from tuner.journal.reports import Reports


@dataclass(slots=True)
class Trial:
    """One trial so far.

    Attributes:
        ask: Its proposal.
        attempt: The attempt that counts, from 1.
        lost: Attempts that died with their process (a resume of the search is none).
        starts: What each attempt that began told, oldest first.
        epochs: Reports by epoch, each from the first attempt that reported it; ``Reports`` once it has ended.
        rungs: Decisions, oldest first.
        end: How it ended, or None.
    """

    ask: Ask
    attempt: int = 1
    lost: int = 0
    starts: list[Start] = field(default_factory=list)
    epochs: dict[int, Epoch] | Reports = field(default_factory=dict)
    rungs: list[Rung] = field(default_factory=list)
    end: End | None = None

    @property
    def number(self) -> int:
        """The trial's number."""
        return self.ask.n

    @property
    def state(self) -> State:
        """Its state, taking a live driver for granted."""
        return State.RUNNING if self.end is None else self.end.state

    @property
    def last_epoch(self) -> int:
        """The newest epoch in the log, 0 if none."""
        return max(self.epochs, default=0)

    @property
    def packed(self) -> Reports:
        """Its reports as those of a trial that has ended are held."""
        return self.epochs if isinstance(self.epochs, Reports) else Reports(self.number, self.epochs)

    @property
    def scores(self) -> dict[int, float]:
        """Epoch to score."""
        if isinstance(self.epochs, Reports):
            return self.epochs.scores
        return {epoch: report.score for epoch, report in self.epochs.items()}

    @property
    def stop_decision(self) -> Rung | None:
        """The decision to stop it, or None."""
        return next((rung for rung in self.rungs if rung.decision is Decision.STOP), None)

    def report(self, event: Epoch) -> None:
        """Take in a report, while it has not ended."""
        assert isinstance(self.epochs, dict)
        self.epochs[event.epoch] = event

    def copied(self) -> Trial:
        """Return a copy that later events do not change."""
        return replace(self, starts=list(self.starts), epochs=dict(self.epochs), rungs=list(self.rungs))

    def best(self, goal: Goal) -> Epoch | None:
        """Return the report with the best metric, the first of equals; None before any report."""
        scores = self.scores
        if not scores:
            return None
        pick = max if goal is Goal.MAXIMIZE else min
        return self.epochs[pick(sorted(scores), key=scores.__getitem__)]


class History:
    """The state that a log's events add up to.

    Attributes:
        trials: Number to trial, in the order of proposal.
        active_seconds: Time that earlier drivers spent on the search; a driver that was killed is counted to its
            last event.
        opened: How the last driver took the search up, or None before any did.
        nodes: Name of each machine that began an attempt, to its number, from 1 in the order of appearance.
        closed: How the last driver let go, or None while one holds it or after it was killed.
        wanted: How many trials the last driver is to propose in all.
        extended: The same as far as it was asked for once the search had begun; no driver wants fewer.
        waiting: Configurations that were given and are to be proposed, in order.
        out_of_turn: How many of those have been, and replicates.
        requests: Names of the requests that were taken in.
        epochs: How many reports count.
        stage: Which of its spaces the search is in; 0 is the one that it began with.
    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        """Args: events: the log's events from the first on."""
        self.trials: dict[int, Trial] = {}
        self.active_seconds = 0.0
        self.opened: Open | None = None
        self.nodes: dict[str, int] = {}
        self.closed: Close | None = None
        self.wanted = 0
        self.extended = 0
        self.waiting: list[Mapping[str, Any]] = []
        self.out_of_turn = 0
        self.requests: set[str] = set()
        self.epochs = 0
        self.stage = 0
        self._gpus = 0.0  # of each trial, with the last driver
        self._gpu_seconds = 0.0  # of what no longer holds any
        self._held: dict[int, float] = {}  # number of a trial to when it was handed out
        self._last_at = 0.0
        for event in events:
            self.apply(event)

    def apply(self, event: Event) -> bool:
        """Take in the next event; returns whether it counts (an older attempt's or a repeated one does not)."""
        if isinstance(event, Open | Close):
            self._change_hands(event)
            return True
        if not isinstance(event, Start):  # a worker's clock may be another machine's
            self._last_at = max(self._last_at, event.at)
        if isinstance(event, Extend | Add | Respace):
            self._live_on(event)
            return True
        if isinstance(event, Ask):
            if event.n in self.trials:
                return False
            self.trials[event.n] = Trial(event)
            if self.waiting:
                self.waiting.pop(0)
                self.out_of_turn += 1
            self.out_of_turn += event.origin is Origin.REPLICATE
            self._held[event.n] = event.at
            return True
        trial = self.trials.get(event.n) if event.n is not None else None
        if trial is None or not counts(trial, event):
            return False
        match event:
            case Retry():
                trial.attempt = event.attempt
                trial.lost += event.lost
                self._let_go(event.n, event.at)
                self._held[event.n] = event.at
            case Start():
                trial.starts.append(event)
                self.nodes.setdefault(event.node, len(self.nodes) + 1)
            case Epoch():
                trial.report(event)
                self.epochs += 1
            case Rung():
                trial.rungs.append(event)
            case End():
                trial.end, trial.epochs = event, trial.packed
                self._let_go(event.n, event.at)
        return True

    def _live_on(self, event: Extend | Add | Respace) -> None:
        if isinstance(event, Respace):
            self._rename(event)
            return
        self.wanted = self.extended = max(self.wanted, event.trials)
        if isinstance(event, Add):
            self.waiting.append(event.config)
        if event.request is not None:
            self.requests.add(event.request)

    def _rename(self, event: Respace) -> None:
        self.stage = max(self.stage, event.stage)
        kept = (config for place, config in enumerate(self.waiting) if place not in event.dropped)
        self.waiting = [_renamed(config, event) for config in kept]
        if event.renamed:
            for trial in self.trials.values():
                trial.ask = replace(trial.ask, config=_renamed(trial.ask.config, event))

    def _let_go(self, number: int, at: float) -> None:
        if number in self._held:
            self._gpu_seconds += self._gpus * max(0.0, at - self._held.pop(number))

    def gpu_seconds(self, now: float) -> float:
        """Return GPUs times the seconds for which trials held them, from when they were handed out.

        Args:
            now: Seconds since the epoch, for those that hold some now.
        """
        return self._gpu_seconds + self._gpus * sum(max(0.0, now - since) for since in self._held.values())

    def _change_hands(self, event: Open | Close) -> None:
        for number in list(self._held):  # a driver that was killed is counted to its last event
            self._let_go(number, event.at if isinstance(event, Close) else self._last_at)
        if isinstance(event, Close):
            self.active_seconds += event.seconds
            self.closed = event
            return
        if self.opened is not None and self.closed is None:  # the driver before was killed
            self.active_seconds += self.open_seconds
        self.opened, self.closed = event, None
        self.wanted = max(event.trials, self.extended)
        self._gpus = event.gpus
        self._last_at = event.at

    def snapshot(self) -> History:
        """Return a copy that later events do not change; what has ended is shared, since it never changes again."""
        copy = History()
        copy.trials = {number: trial if trial.end else trial.copied() for number, trial in self.trials.items()}
        copy.active_seconds, copy.opened, copy.closed = self.active_seconds, self.opened, self.closed
        copy.wanted, copy.extended = self.wanted, self.extended
        copy.waiting, copy.out_of_turn = list(self.waiting), self.out_of_turn
        copy.requests, copy.epochs, copy.stage = set(self.requests), self.epochs, self.stage
        copy._gpus, copy._gpu_seconds, copy._held = self._gpus, self._gpu_seconds, dict(self._held)
        copy.nodes, copy._last_at = dict(self.nodes), self._last_at
        return copy

    @property
    def last_at(self) -> float:
        """When the last driver is known to have been at work, in seconds since the epoch."""
        return self._last_at

    @property
    def open_seconds(self) -> float:
        """Time that a driver which has not let go is known to have spent, which ``active_seconds`` lacks."""
        return 0.0 if self.opened is None or self.closed is not None else max(0.0, self._last_at - self.opened.at)

    @property
    def unfinished(self) -> list[Trial]:
        """Trials without an end, in the order of proposal."""
        return [trial for trial in self.trials.values() if trial.end is None]


def _renamed(config: Mapping[str, Any], event: Respace) -> dict[str, Any]:
    return {event.renamed.get(name, name): value for name, value in config.items()}


def counts(trial: Trial, event: Event) -> bool:
    """Return whether an event about a trial changes anything.

    The first end of a trial wins, messages of older attempts are dropped, and an epoch that was reported is not
    reported, nor judged, again.
    """
    if trial.end is not None or event.attempt is None:
        return False
    if isinstance(event, Retry):
        return event.attempt > trial.attempt
    if event.attempt != trial.attempt:
        return False
    if isinstance(event, Epoch):
        return event.epoch not in trial.epochs
    if isinstance(event, Rung):
        return all(rung.epoch != event.epoch for rung in trial.rungs)
    return True
