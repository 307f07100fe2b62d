"""Ray Tune as executor: it starts processes, shares resources, notices what dies. It decides nothing.

Ray Tune asks a searcher for configurations and a scheduler for decisions; both are answered from the ledger. Its own
state is never read again: a resumed search is a new run over what the log leaves unfinished.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable
from typing import Any

import ray
from ray import tune
from ray.tune.experiment import Trial as RayTrial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from tuner.facts.errors import StorageError
from tuner.facts.records import Decision, State
from tuner.search.ledger import Ledger
from tuner.search.messages import Ended, Message

#: Key of the message in what a worker's step returns.
MESSAGE = "message"

#: Settings that Ray Tune reads from the environment.
_ENVIRONMENT = {
    "RAY_AIR_NEW_OUTPUT": "0",  # the new output prints to stdout whatever verbosity says
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative paths of a trainable keep their meaning
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # no CSV, JSON and TensorBoard files for each trial
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # signals are ours
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # results carry a message, no metric
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",  # nobody reads Ray Tune's own state
    "TUNE_WARN_THRESHOLD_S": "1000000000",
}


class Stop(BaseException):
    """Leaves Ray Tune's loop at once, past its own handlers of exceptions; the log says what was finished."""


def execute(
    ledger: Ledger,
    trainable: type[tune.Trainable],
    job: object,
    *,
    slots: int,
    cpus: float,
    gpus: float,
    reuse: bool,
    trial_timeout: float | None,
    should_stop: Callable[[], bool],
) -> None:
    """Run what the ledger hands out until nothing is left, time is up, or ``should_stop`` says so.

    Args:
        ledger: Answers what runs next and what goes on.
        trainable: A ``tune.Trainable`` whose config holds ``job`` and ``assignment`` and whose steps return
            ``{MESSAGE: Message}``.
        job: Handed to every trial; small and picklable.
        slots: How many trials may run side by side.
        cpus: CPUs of a trial.
        gpus: GPUs of a trial; may be a fraction.
        reuse: Whether processes serve more than one trial.
        trial_timeout: Seconds without a message after which a trial has failed, or None.
        should_stop: Asked many times a second, in this thread.

    Raises:
        StorageError: The log could not be written.
    """
    os.environ.update(_ENVIRONMENT, TUNE_MAX_PENDING_TRIALS_PG=str(slots))
    judge = _Judge(ledger)
    scratch = tempfile.TemporaryDirectory(prefix="tuner-", ignore_cleanup_errors=True)
    with scratch, contextlib.suppress(Stop, StorageError):
        tune.run(
            trainable,
            name="search",
            storage_path=scratch.name,
            search_alg=_Asker(ledger, job),
            scheduler=judge,
            callbacks=[_Watch(ledger, judge, trial_timeout, should_stop)],
            num_samples=-1,
            max_failures=-1,
            resources_per_trial={"cpu": cpus, "gpu": gpus},
            reuse_actors=reuse,
            trial_dirname_creator=_directory_name,
            raise_on_failed_trial=False,
            verbose=0,
        )
    if ledger.failure is not None:  # Ray Tune takes some errors for a trial's
        raise ledger.failure


def _directory_name(trial: RayTrial) -> str:
    return str(trial.trial_id)


def _number(trial: RayTrial) -> int:
    return int(trial.config["assignment"].number)


class _Asker(Searcher):  # type: ignore[misc]  # ray is untyped
    """Hands assignments from the ledger to Ray Tune."""

    def __init__(self, ledger: Ledger, job: object) -> None:
        super().__init__()
        self._ledger = ledger
        self._job = job
        self._numbers: dict[str, int] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        assignment = self._ledger.next_assignment()
        if assignment is not None:
            self._numbers[trial_id] = assignment.number
            return {"job": self._job, "assignment": assignment}
        return Searcher.FINISHED if self._ledger.exhausted or self._ledger.out_of_time else None

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        if error:  # after the last retry; a trial that has ended stays as it ended
            self._ledger.end(self._numbers[trial_id], Ended(State.FAILED, "lost", "its process was lost"))

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the log is the truth."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore."""


class _Judge(FIFOScheduler):  # type: ignore[misc]  # ray is untyped
    """Hands messages to the ledger and its decisions to Ray Tune."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self._ledger = ledger
        self.heard: dict[int, float] = {}
        self._added: set[str] = set()

    def on_trial_add(self, tune_controller: object, trial: RayTrial) -> None:
        number = _number(trial)
        if trial.trial_id not in self._added:
            self._added.add(trial.trial_id)
            # Ray counts a trial's failures from here; the log may know of earlier ones.
            trial.max_failures = self._ledger.retries_left(number)
        elif (again := self._ledger.retry(number, "its process was lost")) is not None:
            trial.config["assignment"] = again
        self.heard.pop(number, None)

    def on_trial_result(self, tune_controller: object, trial: RayTrial, result: dict[str, Any]) -> str:
        return self.hear(trial, result)

    def on_trial_complete(self, tune_controller: object, trial: RayTrial, result: dict[str, Any]) -> None:
        self.heard.pop(_number(trial), None)

    def hear(self, trial: RayTrial, result: dict[str, Any]) -> str:
        """Write a message down and answer for Ray Tune."""
        message: Message = result[MESSAGE]
        self.heard[message.number] = time.monotonic()
        decision = self._ledger.receive(message)
        if message.ended is not None and not message.ended.clean:
            # Its next step raises, which makes Ray throw the process away; that is no failure to retry.
            trial.max_failures = 0
            return str(TrialScheduler.CONTINUE)
        return str(TrialScheduler.STOP if decision is Decision.STOP else TrialScheduler.CONTINUE)


class _Watch(tune.Callback):  # type: ignore[misc]  # ray is untyped
    """Runs between Ray Tune's events: flushes the log, ends what hangs, leaves the loop when told to."""

    def __init__(
        self, ledger: Ledger, judge: _Judge, trial_timeout: float | None, should_stop: Callable[[], bool]
    ) -> None:
        self._ledger = ledger
        self._judge = judge
        self._timeout = trial_timeout
        self._should_stop = should_stop

    def on_step_begin(self, iteration: int, trials: list[RayTrial], **info: object) -> None:
        if self._ledger.failure is not None:
            raise Stop
        self._ledger.flush()
        if self._should_stop() or self._ledger.out_of_time or self._ledger.hopeless is not None:
            raise Stop
        if self._timeout is not None:
            self._end_hanging(trials, self._timeout)

    def on_trial_start(self, iteration: int, trials: list[RayTrial], trial: RayTrial, **info: object) -> None:
        self._judge.heard[_number(trial)] = time.monotonic()

    def _end_hanging(self, trials: list[RayTrial], timeout: float) -> None:
        now = time.monotonic()
        for trial in trials:
            heard = self._judge.heard.get(_number(trial))
            if trial.status != RayTrial.RUNNING or heard is None or now - heard <= timeout:
                continue
            self._ledger.end(_number(trial), Ended(State.FAILED, "timeout", f"no report for {timeout:g} seconds"))
            trial.max_failures = 0
            if trial.temporary_state.ray_actor is not None:
                ray.kill(trial.temporary_state.ray_actor)
