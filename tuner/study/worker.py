"""What a worker process does with an assignment: step its trainable once an epoch and say what happened."""

from __future__ import annotations

import math
import platform
import re
import time
import traceback
from collections.abc import Generator, Mapping
from typing import Any

from tuner.facts.errors import DivergedError, StorageError
from tuner.facts.records import State
from tuner.search.messages import Assignment, Ended, Message, Report, Started
from tuner.study.checkpoints import TrialCheckpoints
from tuner.study.job import Job, load_trainable
from tuner.study.process import device_name, is_out_of_memory, peak_memory_mb, reset_process

_PATH = re.compile(r"(?<![\w.])(?:[A-Za-z]:)?(?:[/\\][\w.@+~ -]+)*[/\\](?=[\w.])")


class Attempt:
    """One attempt at one trial in this process: ``step`` runs an epoch and returns the message about it."""

    def __init__(self, job: Job, assignment: Assignment) -> None:
        """Nothing of the trainable runs before the first step, so that its errors become messages."""
        self._job = job
        self._assignment = assignment
        self._checkpoints = TrialCheckpoints(job.folder / "checkpoints", assignment.number, assignment.attempt)
        self._generator: Generator[Mapping[str, Any], None, str | None] | None = None
        self._epoch = 0

    def step(self) -> Message:
        """Run to the next report or to the end.

        Raises:
            StorageError: A checkpoint could not be written: a failure of the machine, not of the trial.
        """
        started = self._started() if self._generator is None else None
        began = time.perf_counter()
        try:
            reported = self._next_report()
        except StopIteration as stop:
            return self._message(started, ended=self._completed(stop.value))
        except StorageError:
            raise
        except Exception as error:  # a trainable may raise anything, and any of it ends the trial alone
            return self._message(started, ended=self._broken(error))
        self._epoch += 1
        try:
            score, metrics = _checked(reported, self._job.metric)
        except DivergedError as error:
            return self._message(started, ended=self._broken(error))
        except (TypeError, ValueError) as error:
            return self._message(started, ended=Ended(State.FAILED, "error", one_line(error)))
        report = Report(
            epoch=self._epoch,
            score=score,
            metrics=metrics,
            checkpoint=self._checkpoints.keep(self._epoch),
            seconds=time.perf_counter() - began,
            memory_mb=peak_memory_mb(),
        )
        ended = None
        if self._job.max_epochs is not None and self._epoch >= self._job.max_epochs and not self._job.builtin:
            ended = Ended(State.COMPLETED, "budget")
        return self._message(started, report=report, ended=ended)

    def close(self) -> None:
        """Close the trainable's generator, so that its ``finally`` runs, and remove the work folder."""
        if self._generator is not None:
            try:
                self._generator.close()
            except Exception:  # the trial's outcome stands; what its clean-up raises belongs into its log
                traceback.print_exc()
        self._generator = None
        self._checkpoints.clear_work()

    def _started(self) -> Started:
        return Started(at=time.time(), node=platform.node(), device=device_name())

    def _next_report(self) -> Mapping[str, Any]:
        if self._generator is None:
            reset_process(self._job, self._assignment.config["seed"])
            self._epoch = self._checkpoints.prepare(self._assignment.after_epoch)
            trainable = load_trainable(self._job)
            self._generator = trainable(dict(self._assignment.config), self._checkpoints.work)
        return next(self._generator)

    def _completed(self, reason: str | None) -> Ended:
        if self._epoch == 0:
            return Ended(State.FAILED, "error", "the trainable ended without a report")
        return Ended(State.COMPLETED, reason if isinstance(reason, str) else "budget")

    def _broken(self, error: Exception) -> Ended:
        traceback.print_exception(error)  # into the trial's log, which may hold paths
        if isinstance(error, DivergedError):
            return Ended(State.DIVERGED, "nan", one_line(error))
        if is_out_of_memory(error):
            return Ended(State.OUT_OF_MEMORY, "out_of_memory", one_line(error))
        return Ended(State.FAILED, "error", one_line(error))

    def _message(self, started: Started | None, *, report: Report | None = None, ended: Ended | None = None) -> Message:
        return Message(self._assignment.number, self._assignment.attempt, started, report, ended)


def _checked(reported: object, metric: str) -> tuple[float, dict[str, float | None]]:
    """Return (metric, all other numbers) of what a trainable yielded; a number that is not finite becomes None.

    Raises:
        TypeError: It is not a mapping of names to numbers.
        ValueError: The metric is missing.
        DivergedError: The metric is NaN or infinite.
    """
    if not isinstance(reported, Mapping):
        raise TypeError(f"the trainable yielded {type(reported).__name__}, not a mapping of names to numbers")
    if metric not in reported:
        raise ValueError(f"the trainable did not report the metric '{metric}'")
    numbers: dict[str, float | None] = {}
    for name, value in reported.items():
        try:
            number = float(value)  # 0-d numpy and torch values convert
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"the trainable reported '{name}', which is {type(value).__name__}, not a number"
            ) from error
        numbers[str(name)] = number if math.isfinite(number) else None
    score = numbers.pop(metric)
    if score is None:
        raise DivergedError(f"{metric} became {float(reported[metric])}")
    return score, numbers


def one_line(error: BaseException) -> str:
    """Return an error as one line without paths: ``ValueError: what it says``."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {_PATH.sub('', text)}"[:500].removesuffix(": ")
