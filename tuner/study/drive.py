"""One driver at work: Ray Tune runs what a ledger hands out, people are shown it, signals end it."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set

from tuner.facts.errors import ExitCode
from tuner.facts.records import State
from tuner.search.ledger import Ledger, Listener
from tuner.space.searchfile import SearchFile
from tuner.study.job import Job
from tuner.study.observer import Observer, Work
from tuner.study.signals import CaughtSignals


def drive(
    ledger: Ledger,
    job: Job,
    file: SearchFile,
    work: Work,
    *,
    signals: CaughtSignals,
    observer: Observer,
    listeners: Sequence[Listener] = (),
    leaving: Callable[[], bool] = lambda: False,
    slots: Callable[[], int] | None = None,
) -> None:
    """Run what a ledger hands out on a running Ray, until nothing is left, time is up or a signal came.

    Args:
        ledger: Answers what runs next and what goes on.
        job: Handed to every trial.
        file: Says what a trial takes.
        work: What is shown.
        signals: Looked at all the time.
        observer: Shown what happens, after ``listeners`` have heard it.
        listeners: Hear each new event.
        leaving: Asked many times a second, in this thread, whether something else ends it.
        slots: Returns how many trials may run side by side where that changes; None for ``work.concurrent``.

    Raises:
        StorageError: The log could not be written.
        ClusterError: Ray died.
    """
    from tuner.search.executor import execute
    from tuner.study.trainable import TrialRunner

    observer.started(work, ledger)
    ledger.listeners += [*listeners, observer.heard]

    def should_stop() -> bool:
        observer.tick()
        return signals.first is not None or leaving()

    try:
        execute(
            ledger,
            TrialRunner,
            job,
            slots=slots or (lambda: work.concurrent),
            cpus=file.resources.cpus_per_trial,
            gpus=file.resources.gpus_per_trial,
            reuse=file.resources.reuse_workers,
            trial_timeout=file.trial_timeout,
            should_stop=should_stop,
        )
    finally:
        observer.ended()


def exit_code(states: Set[State], reason: str) -> ExitCode:
    """Return the exit code of a driver that ended for a reason: a signal's name, aborted, or a good one.

    Args:
        states: Those of its trials.
        reason: Why it ended.
    """
    if reason in ("SIGINT", "SIGTERM"):
        return ExitCode[reason]
    if reason == "aborted" or State.COMPLETED not in states:
        return ExitCode.ABORTED
    return ExitCode.TRIAL_FAILED if State.FAILED in states else ExitCode.OK
