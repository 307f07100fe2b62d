"""What a worker process does with an assignment: step its trainable once an epoch and say what happened."""

from __future__ import annotations

import errno
import math
import os
import re
import time
import traceback
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from tuner.facts.errors import DivergedError, StorageError
from tuner.facts.records import State
from tuner.search.messages import Assignment, Ended, Message, Report, Started
from tuner.study.checkpoints import TrialCheckpoints
from tuner.study.delivery import node_name
from tuner.study.job import Job, load_trainable
from tuner.study.logfile import LogFile
from tuner.study.process import device_name, is_out_of_memory, peak_memory_mb, reset_process

_PATH = re.compile(r"(?<![\w.])(?:[A-Za-z]:)?(?:[/\\][\w.@+~ -]+)*[/\\](?=[\w.])")

_FULL = (errno.ENOSPC, errno.EDQUOT)


class Attempt:
    """One attempt at one trial in this process: ``step`` runs an epoch and returns the message about it."""

    def __init__(self, job: Job, assignment: Assignment) -> None:
        """Nothing happens before the first step, so that whatever goes wrong becomes a message."""
        self._job = job
        self._assignment = assignment
        self._checkpoints: TrialCheckpoints | None = None
        self._log: LogFile | None = None
        self._generator: Generator[Mapping[str, Any], None, str | None] | None = None
        self._started: float | None = time.time()
        self._epoch = 0

    def step(self) -> Message:
        """Run to the next report or to the end."""
        message = self._step()
        if self._log is not None and message.ended is not None:
            self._log.push()  # now: Ray may end the process before it lets go of the trial
        return message

    def _step(self) -> Message:
        try:
            if self._generator is None:
                self._begin()
            return self._next_message()
        except StorageError as error:  # a failure of the machine: no trial can go on
            return self._message(storage_error=str(error))
        except BaseException as error:  # a trainable may raise anything, and any of it ends the trial alone
            if isinstance(error, OSError) and error.errno in _FULL:  # it writes its checkpoint where results lie
                return self._message(storage_error=f"a trial cannot write: {os.strerror(error.errno)}")
            return self._message(ended=_broken(error))

    def close(self) -> None:
        """Close the trainable's generator, so that its ``finally`` runs, and remove the work folder.

        An attempt that took no step has nothing to clear: Ray Tune may have handed it to a process that was free
        earlier than this one, and what lies in the work folder is that process's.
        """
        if self._log is None or self._checkpoints is None:
            return
        try:
            if self._generator is not None:
                self._generator.close()
        except BaseException:  # the trial's outcome stands; what its clean-up raises belongs into its log
            traceback.print_exc()
        self._generator = None
        self._checkpoints.clear_work()
        self._log.close()
        self._log = None

    def _begin(self) -> None:
        number, attempt, folder = self._assignment.number, self._assignment.attempt, self._job.folder
        self._checkpoints = TrialCheckpoints(folder / "checkpoints", number, attempt)
        self._log = LogFile(folder / "logs", number, continued=attempt > 1)
        self._epoch = self._checkpoints.prepare(self._assignment.after_epoch)
        reset_process(self._job, self._assignment.config["seed"])
        self._generator = load_trainable(self._job)(dict(self._assignment.config), self._checkpoints.work)

    def _next_message(self) -> Message:
        assert self._generator is not None and self._checkpoints is not None
        began = time.perf_counter()
        try:
            reported = next(self._generator)
        except StopIteration as stop:
            return self._message(ended=self._completed(stop.value))
        seconds = time.perf_counter() - began
        score, metrics = _checked(reported, self._job.metric, self._job.further)
        self._epoch += 1
        report = Report(
            epoch=self._epoch,
            score=score,
            metrics=metrics,
            seconds=seconds,
            memory_mb=peak_memory_mb(),
            checkpoint=self._checkpoints.keep(self._epoch),
        )
        spent = self._epoch == self._job.max_epochs and not self._job.builtin
        return self._message(report=report, ended=Ended(State.COMPLETED, "budget") if spent else None)

    def _completed(self, reason: str | None) -> Ended:
        if self._epoch == 0:
            return Ended(State.FAILED, "error", "the trainable ended without a report")
        return Ended(State.COMPLETED, reason if isinstance(reason, str) else "budget")

    def _message(self, **said: Any) -> Message:
        """Return a message; the first of an attempt says where it runs, which is known only once torch is loaded."""
        started = None
        if self._started is not None:
            started = Started(at=self._started, node=node_name(self._job), device=device_name())
            self._started = None
        return Message(self._assignment.number, self._assignment.attempt, started, **said)


def _broken(error: BaseException) -> Ended:
    traceback.print_exception(error)  # into the trial's log, which may hold paths
    if isinstance(error, DivergedError):
        return Ended(State.DIVERGED, "nan", one_line(error))
    if is_out_of_memory(error):
        return Ended(State.OUT_OF_MEMORY, "out_of_memory", one_line(error))
    return Ended(State.FAILED, "error", one_line(error))


def _checked(reported: object, metric: str, further: Sequence[str]) -> tuple[float, dict[str, float | None]]:
    """Return (metric, all other numbers) of what a trainable yielded; a number that is not finite becomes None.

    Args:
        reported: What it yielded.
        metric: The metric that ranks.
        further: The other metrics.

    Raises:
        TypeError: It is not a mapping of names to numbers.
        ValueError: A metric is missing.
        DivergedError: A metric is NaN or infinite.
    """
    if not isinstance(reported, Mapping):
        raise TypeError(f"the trainable yielded {type(reported).__name__}, not a mapping of names to numbers")
    for name in (metric, *further):
        if name not in reported:
            raise ValueError(f"the trainable did not report the metric '{name}'")
    numbers: dict[str, float | None] = {}
    for name, value in reported.items():
        if not isinstance(name, str) or not _is_text(name):
            raise TypeError(f"the trainable reported {name!r}, which is no name of a number")
        number = _number(name, value)
        numbers[name] = number if math.isfinite(number) else None
    for name in (metric, *further):
        if numbers[name] is None:
            raise DivergedError(f"{name} is not a finite number")
    score = numbers.pop(metric)
    assert score is not None
    return score, numbers


def _is_text(name: str) -> bool:
    try:
        return bool(name.encode())
    except UnicodeEncodeError:
        return False


def _number(name: str, value: Any) -> float:
    if not isinstance(value, str | bytes):
        try:
            return float(value)  # 0-d numpy and torch values convert
        except OverflowError:
            return math.inf
        except (TypeError, ValueError):
            pass
    raise TypeError(f"the trainable reported '{name}', which is {type(value).__name__}, not a number")


def one_line(error: BaseException) -> str:
    """Return an error as one line without paths: ``ValueError: what it says``."""
    text = " ".join(str(error).split())
    line = f"{type(error).__name__}: {_PATH.sub('', text)}"[:500].removesuffix(": ")
    return line.encode(errors="replace").decode()  # half a surrogate pair fits into no file
