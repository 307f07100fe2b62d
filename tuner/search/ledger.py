"""The ledger of a running search: every proposal, report, decision and end is in the log before anyone hears of it.

It drives sampler and scheduler and knows nothing of Ray: a test can run a whole search on it in milliseconds.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from tuner.facts.errors import ResultsHeldError, StorageError
from tuner.facts.records import Decision, Goal, State
from tuner.facts.seeds import derived_seed
from tuner.journal.events import Add, Ask, Close, End, Epoch, Event, Extend, Open, Respace, Retry, Rung, Start
from tuner.journal.history import History, Trial, counts
from tuner.journal.log import Log
from tuner.search.clock import SteadyClock
from tuner.search.first_ends import FirstEnds
from tuner.search.improvement import Improvement
from tuner.search.limits import Limits, Standing, reached
from tuner.search.messages import Assignment, Ended, Message, Report
from tuner.search.proposer import Proposal
from tuner.search.schedulers.scheduler import Scheduler

Listener = Callable[[Event], None]


class Proposer(Protocol):
    """Decides what the next trial is; learns from the log alone."""

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left to propose."""

    def observe(self, event: Event) -> None:
        """Take in the log's next event that counts."""

    def propose(self, n: int) -> Proposal:
        """Return the configuration of trial ``n``."""


class Ledger:
    """Decides what runs next and what becomes of it, and writes it down first.

    Attributes:
        history: All that the log holds. Other threads read it under ``lock``.
        lock: Held while ``history`` changes.
        slots: How many trials may run side by side; may change while the search runs.
        listeners: Called with each new event after it is in the log.
        pausing: Whether running trials end their epochs and nothing is begun any more.
        failure: The error that writing the log met, or None; nothing can be decided any more then.
    """

    def __init__(
        self,
        log: Log,
        proposer: Proposer,
        scheduler: Scheduler,
        *,
        goal: Goal,
        seed: int,
        trials: int,
        slots: int,
        retries: int,
        gpus: float = 0.0,
        limits: Limits | None = None,
        listeners: Sequence[Listener] = (),
        clock: Callable[[], float] | None = None,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        """Replay the log and take the search up.

        Args:
            log: Open for writing.
            proposer: Fresh; hears every event.
            scheduler: Fresh; hears every event.
            goal: Of the metric.
            seed: The search's seed, of which trials' seeds are derived.
            trials: How many trials to propose in all, unless the log was extended to more.
            slots: How many may run side by side.
            retries: How many lost processes a trial survives.
            gpus: How many each trial holds, or which share of one.
            limits: What ends the search early; None for nothing.
            listeners: The first ``listeners``.
            clock: Seconds since the epoch, for the log; None for a ``SteadyClock``.
            timer: Monotonic seconds, for durations.
        """
        self.history = History()
        self.lock = threading.Lock()
        self.pausing = False
        self.failure: StorageError | ResultsHeldError | None = None
        self._log = log
        self._proposer = proposer
        self._scheduler = scheduler
        self._goal = goal
        self._seed = seed
        self.slots = slots
        self._retries = retries
        self._limits = {name: value for name, value in (limits or {}).items() if value is not None}
        self._improvement = Improvement(goal)
        self.listeners = list(listeners)
        self._clock = clock or SteadyClock()
        self._timer = timer
        self._began = timer()
        self._live: set[int] = set()
        for event in log.replay():
            self._apply(event)
        self._first_ends = FirstEnds(trial.state for trial in self.history.trials.values() if trial.end is not None)
        self._write(Open(at=self._clock(), slots=slots, trials=max(trials, self.history.extended), gpus=gpus))
        self._active_before = self.history.active_seconds  # a killed driver's time, too, which Open settles
        for trial in self.history.unfinished:  # stopped, and killed before the end was written
            if trial.stop_decision is not None:
                self._write(self._end(trial, Ended(State.STOPPED, self._scheduler.name)))
        self._unfinished = [(trial, "resumed", False) for trial in self.history.unfinished]

    @property
    def all_proposed(self) -> bool:
        """Whether as many trials as were wanted have been proposed."""
        return len(self.history.trials) >= self.history.wanted

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left to start, now or later."""
        return not self._unfinished and (self.all_proposed or self._proposer.exhausted)

    @property
    def finished(self) -> bool:
        """Whether nothing runs and nothing is left to start."""
        return not self._live and (self.exhausted or self.pausing or self.limit is not None)

    @property
    def limit(self) -> str | None:
        """The name of a limit that the search has reached, or None."""
        return reached(self._limits, self.standing)

    @property
    def standing(self) -> Standing:
        """How far the search is, in what limits count."""
        return Standing(self.active_seconds, self._clock(), self.history, self._improvement)

    @property
    def active_seconds(self) -> float:
        """Time spent on the search by this driver and those before it."""
        return self._active_before + self._timer() - self._began

    @property
    def hopeless(self) -> str | None:
        """The error that the first trials all ended with, or None while there is hope."""
        return self._first_ends.hopeless

    def next_assignment(self) -> Assignment | None:
        """Return what to start next, already in the log; None while all slots are taken or nothing is left.

        Trials that an earlier driver left unfinished, and those that were given back, come first.
        """
        if len(self._live) >= self.slots or self.exhausted or self.pausing or self.limit is not None:
            return None
        if self._unfinished:
            trial, reason, lost = self._unfinished.pop(0)
            self._live.add(trial.number)
            return self._again(trial, reason, lost=lost)
        n = len(self.history.trials)
        proposal = self._proposer.propose(n)
        config = {**proposal.config, "seed": proposal.config.get("seed", derived_seed(self._seed, n))}
        self._write(Ask(at=self._clock(), n=n, config=config, origin=proposal.origin))
        self._live.add(n)
        return Assignment(n, 1, config)

    def extend(self, trials: int, request: str | None = None) -> None:
        """Want more trials than now; a request that the log has taken in changes nothing.

        Args:
            trials: How many more, at least 1.
            request: Name of the request that asks for it.
        """
        if request is None or request not in self.history.requests:
            self._write(Extend(at=self._clock(), trials=self.history.wanted + trials, request=request))

    def respace(self, stage: int, renamed: Mapping[str, str], dropped: Iterable[int] = ()) -> None:
        """Write down that the space changed; one that the log knows of changes nothing.

        Args:
            stage: Which of the search's spaces it is, from 1.
            renamed: Old name to new name of parameters.
            dropped: Places in ``history.waiting`` of what does not lie in it.
        """
        if stage > self.history.stage:
            self._write(Respace(at=self._clock(), stage=stage, renamed=dict(renamed), dropped=tuple(dropped)))

    def add(self, config: Mapping[str, Any], request: str | None = None) -> None:
        """Propose a configuration next; a request that the log has taken in changes nothing.

        It is one of the trials that are wanted; where all of those have been proposed, one more is wanted.

        Args:
            config: Full or partial.
            request: Name of the request that asks for it.
        """
        if request is None or request not in self.history.requests:
            trials = max(self.history.wanted, len(self.history.trials) + len(self.history.waiting) + 1)
            self._write(Add(at=self._clock(), config=dict(config), trials=trials, request=request))

    def retry(self, number: int, reason: str, *, lost: bool = True) -> Assignment | None:
        """Write down that an attempt was cut off; return the next, or None if the trial has failed for good.

        Args:
            number: The trial's.
            reason: In a few words.
            lost: Whether this uses up one of its retries.
        """
        trial = self.history.trials[number]
        if trial.end is not None:
            return None
        if lost and trial.lost >= self._retries:
            self.end(number, Ended(State.FAILED, "lost", reason))
            return None
        return self._again(trial, reason, lost=lost)

    def give_back(self, number: int, reason: str) -> None:
        """Take back a trial whose process was lost and which its executor will not start again by itself."""
        trial = self.history.trials[number]
        if trial.end is not None:
            return
        if trial.lost >= self._retries:
            self.end(number, Ended(State.FAILED, "lost", reason))
            return
        self._live.discard(number)
        self._unfinished.append((trial, reason, True))

    def retries_left(self, number: int) -> int:
        """Return how many more lost processes a trial survives."""
        return max(0, self._retries - self.history.trials[number].lost)

    def receive(self, message: Message) -> Decision:
        """Write down what a worker said; return whether its trial goes on, which in a pause it does later.

        Raises:
            StorageError: The log, or the worker's checkpoint, could not be written.
        """
        if message.storage_error is not None:
            self.failure = StorageError(message.storage_error)
            raise self.failure
        trial = self.history.trials[message.number]
        if message.attempt != trial.attempt or trial.end is not None:
            return Decision.STOP
        events: list[Event] = []
        if message.started is not None:
            events.append(Start(n=trial.number, attempt=trial.attempt, **vars(message.started)))
        if message.report is not None:
            events += self._judged(trial, message.report)
        if message.ended is not None:
            events.append(self._end(trial, message.ended))
        durable = any(not isinstance(event, Epoch | Start) or _resumable(event) for event in events)
        self._write(*events, sync=durable)
        if self.pausing:
            self._live.discard(trial.number)
        return Decision.CONTINUE if trial.end is None and not self.pausing else Decision.STOP

    def end(self, number: int, ended: Ended) -> None:
        """End a trial from the driver's side; nothing happens if it has ended."""
        trial = self.history.trials[number]
        if trial.end is None:
            self._write(self._end(trial, ended))

    def flush(self) -> None:
        """Called often by the driver: make grouped reports durable in time."""
        with self._noting_failure():
            self._log.flush()

    def close(self, reason: str) -> None:
        """Write down that this driver lets go in good order."""
        self._write(Close(at=self._clock(), reason=reason, seconds=self._timer() - self._began))

    def _judged(self, trial: Trial, report: Report) -> list[Event]:
        epoch = Epoch(at=self._clock(), n=trial.number, attempt=trial.attempt, **vars(report))
        if not counts(trial, epoch):
            return []
        events: list[Event] = [epoch]
        decision = self._scheduler.judge(trial.number, report.epoch, report.score)
        if decision is not None:
            events.append(
                Rung(
                    at=epoch.at,
                    n=trial.number,
                    attempt=trial.attempt,
                    epoch=report.epoch,
                    value=report.score,
                    decision=decision,
                )
            )
        if decision is Decision.STOP:
            events.append(self._end(trial, Ended(State.STOPPED, self._scheduler.name)))
        return events

    def _again(self, trial: Trial, reason: str, *, lost: bool) -> Assignment:
        attempt = trial.attempt + 1
        self._write(Retry(at=self._clock(), n=trial.number, attempt=attempt, reason=reason, lost=lost))
        return Assignment(trial.number, attempt, trial.ask.config, trial.last_epoch)

    def _end(self, trial: Trial, ended: Ended) -> End:
        return End(at=self._clock(), n=trial.number, attempt=trial.attempt, **vars(ended))

    def _write(self, *events: Event, sync: bool = True) -> None:
        with self._noting_failure():
            self._log.append(*events, sync=sync)
        for event in events:
            self._apply(event)
            if isinstance(event, End):
                self._first_ends.ended(event)
        for listener in self.listeners:
            for event in events:
                listener(event)

    @contextlib.contextmanager
    def _noting_failure(self) -> Iterator[None]:
        try:
            yield
        except (StorageError, ResultsHeldError) as error:
            self.failure = error
            raise

    def _apply(self, event: Event) -> None:
        with self.lock:
            if not self.history.apply(event):
                return
        if isinstance(event, End):
            self._live.discard(event.n)
            self._improvement.ended(self.history.trials[event.n])
        self._proposer.observe(event)
        self._scheduler.observe(event)


def _resumable(event: Event) -> bool:
    """Whether a trial may continue after this report, so that it must survive whatever its checkpoint survives."""
    return isinstance(event, Epoch) and event.checkpoint is not None
