"""Ray Tune as executor: it starts processes, shares resources, notices what dies. It decides nothing.

Ray Tune asks a searcher for configurations and a scheduler for decisions; both are answered from the ledger. Its own
state is never read again: a resumed search is a new run over what the log leaves unfinished.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import ray
from ray import tune
from ray.air.execution._internal import actor_manager
from ray.exceptions import OutOfMemoryError, RayActorError, RayError
from ray.tune.execution import class_cache
from ray.tune.experiment import Trial as RayTrial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from tuner.facts.errors import ClusterError
from tuner.facts.records import Decision, State
from tuner.search.ledger import Ledger
from tuner.search.messages import Ended, Message
from tuner.search.pulse import DIED, Pulse

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
    "TUNE_MAX_PENDING_TRIALS_PG": "1000000000",  # the ledger knows how many there may be
    "TUNE_WARN_THRESHOLD_S": "1000000000",
}

#: What Ray Tune would hand from the driver to trials, and so show in the command line of each trial's process.
_SECRETS = frozenset({"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SECURITY_TOKEN", "AWS_SESSION_TOKEN"})


class Stop(BaseException):
    """Leaves Ray Tune's loop at once, past its own handlers of exceptions; the log says what was finished."""


def execute(
    ledger: Ledger,
    trainable: type[tune.Trainable],
    job: object,
    *,
    slots: Callable[[], int],
    cpus: float,
    gpus: float,
    reuse: bool,
    trial_timeout: float | None,
    should_stop: Callable[[], bool],
) -> None:
    """Run what the ledger hands out until nothing is left, a limit is reached, or ``should_stop`` says so.

    Args:
        ledger: Answers what runs next and what goes on.
        trainable: A ``tune.Trainable`` whose config holds ``job`` and ``assignment`` and whose steps return
            ``{MESSAGE: Message}``.
        job: Handed to every trial; small and picklable.
        slots: Returns how many trials may run side by side; asked every few seconds, in this thread.
        cpus: CPUs of a trial.
        gpus: GPUs of a trial; may be a fraction.
        reuse: Whether processes serve more than one trial.
        trial_timeout: Seconds without a message after which a trial has failed, or None.
        should_stop: Asked many times a second, in this thread.

    Raises:
        StorageError: The log could not be written.
        ClusterError: Ray died, or no node has what a trial takes any more.
    """
    os.environ.update(_ENVIRONMENT)
    class_cache.ENV_VARS_TO_PROPAGATE = frozenset(class_cache.ENV_VARS_TO_PROPAGATE) - _SECRETS
    # A process that a cluster's memory monitor ended is a lost one too; Ray Tune would end with it.
    actor_manager.RayActorError = (RayActorError, OutOfMemoryError)
    judge = _Judge(ledger)
    watch = _Watch(ledger, judge, trial_timeout, should_stop, slots)
    scratch = tempfile.TemporaryDirectory(prefix="tuner-", ignore_cleanup_errors=True)
    with scratch, watch.pulse, contextlib.suppress(Stop), _left_to(ledger):
        tune.run(
            trainable,
            name="search",
            storage_path=scratch.name,
            search_alg=_Asker(ledger, job),
            scheduler=judge,
            callbacks=[watch],
            num_samples=-1,
            max_failures=-1,
            resources_per_trial={"cpu": cpus, "gpu": gpus},
            reuse_actors=reuse,
            trial_dirname_creator=_directory_name,
            raise_on_failed_trial=False,
            verbose=0,
        )
    if ledger.failure is not None:
        raise ledger.failure
    if watch.failure is not None:
        raise watch.failure


@contextlib.contextmanager
def _left_to(ledger: Ledger) -> Iterator[None]:
    """Let errors pass that the ledger has noted: Ray Tune wraps some of them, and takes others for a trial's.

    So pass those that Ray Tune meets when all has ended, where it looks for its own state: the log lacks nothing then.
    """
    try:
        yield
    except Exception:
        if ledger.failure is None and not ledger.finished:
            raise


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
        # Not before the last trial has ended: Ray Tune never asks again, and a lost trial may come back.
        return Searcher.FINISHED if self._ledger.finished else None

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        if error:  # Ray Tune gives the trial up: after its last retry, or because it was lost while it was set up
            self._ledger.give_back(self._numbers[trial_id], "its process was lost")

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
        self._failures: dict[str, int] = {}

    def on_trial_add(self, tune_controller: object, trial: RayTrial) -> None:
        number = _number(trial)
        before, now = self._failures.get(trial.trial_id), trial.num_failures
        self._failures[trial.trial_id] = now
        # Ray does not count it as a failure where a node was announced to go away.
        reason = "its node was taken away" if before == now else "its process was lost"
        if before is None:
            # Ray counts a trial's failures from here; the log may know of earlier ones.
            trial.max_failures = self._ledger.retries_left(number)
        elif (again := self._ledger.retry(number, reason, lost=now > before)) is not None:
            trial.config["assignment"] = again
        self.heard.pop(number, None)

    def choose_trial_to_run(self, tune_controller: Any) -> RayTrial | None:
        """Return the first waiting trial. The inherited one looks at every trial that ever was, in every step."""
        waiting = (trial for trial in tune_controller.get_live_trials() if trial.status == RayTrial.PENDING)
        return min(waiting, key=_number, default=None)

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
        self,
        ledger: Ledger,
        judge: _Judge,
        trial_timeout: float | None,
        should_stop: Callable[[], bool],
        slots: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._judge = judge
        self._timeout = trial_timeout
        self._should_stop = should_stop
        self._slots = slots
        self._timed = time.monotonic()
        self._beats = 0
        self.pulse = Pulse()
        self.failure: ClusterError | None = None

    def on_step_begin(self, iteration: int, trials: list[RayTrial], **info: object) -> None:
        if self._ledger.failure is not None:
            raise Stop
        self._ledger.flush()
        if self._should_stop() or self._ledger.limit is not None or self._ledger.hopeless is not None:
            raise Stop
        self._follow_nodes()
        if self._timeout is not None:
            self._end_hanging(trials, self._timeout)

    def _follow_nodes(self) -> None:
        """Ray Tune would wait for ever for a Ray that died, and for a node that never comes back."""
        try:
            if not self.pulse.felt:
                raise ClusterError(DIED)
            if self._beats != self.pulse.beats:  # just now Ray answered, and will again
                self._beats = self.pulse.beats
                self._ledger.slots = self._slots()
        except ClusterError as error:
            self.failure = error
            raise Stop from error
        except RayError as error:  # it died a moment ago
            self.failure = ClusterError(DIED)
            raise Stop from error

    def on_trial_start(self, iteration: int, trials: list[RayTrial], trial: RayTrial, **info: object) -> None:
        self._judge.heard[_number(trial)] = time.monotonic()

    def _end_hanging(self, trials: list[RayTrial], timeout: float) -> None:
        now = time.monotonic()
        passed = now - self._timed
        if passed < min(1.0, timeout / 4):  # all trials of the search are gone through
            return
        self._timed = now
        if passed > timeout / 2:  # this process was stopped, or waited for storage: what trials said waits to be heard
            self._judge.heard = {number: heard + passed for number, heard in self._judge.heard.items()}
        for trial in trials:
            number, actor = _number(trial), trial.temporary_state.ray_actor
            # A trial that is pending with a process waits for that process to let go of the trial before it.
            if actor is None or trial.status not in (RayTrial.PENDING, RayTrial.RUNNING):
                continue
            if now - self._judge.heard.setdefault(number, now) <= timeout:
                continue
            self._judge.heard.pop(number)
            if trial.status == RayTrial.RUNNING:
                self._ledger.end(number, Ended(State.FAILED, "timeout", f"no report for {timeout:g} seconds"))
                trial.max_failures = 0
            ray.kill(actor)
