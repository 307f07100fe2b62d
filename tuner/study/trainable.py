"""The class that Ray Tune runs: a thin shell around attempts, reused from trial to trial."""

from __future__ import annotations

from typing import Any

from ray import tune

from tuner.search.executor import MESSAGE
from tuner.search.messages import Assignment
from tuner.study.job import Job
from tuner.study.worker import Attempt


class ProcessSpentError(Exception):
    """Raised on purpose after a trial that did not end cleanly, so that Ray throws its process away."""


class TrialRunner(tune.Trainable):  # type: ignore[misc]  # ray is untyped
    """Runs one attempt at a time; each step is one epoch."""

    _attempt: Attempt
    _spent: bool

    def setup(self, config: dict[str, Any]) -> None:
        """Called by Ray in a new process."""
        self._take(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Called by Ray in a process that has served another trial; True says that it may go on."""
        self._release()
        self._take(new_config)
        return True

    def step(self) -> dict[str, Any]:
        """Run the attempt to its next report or its end."""
        if self._spent:
            raise ProcessSpentError("this process served a trial that did not end cleanly")
        message = self._attempt.step()
        if message.ended is not None:
            self._spent = not message.ended.clean
        # Never "done": Ray Tune would end the trial by itself and tell the scheduler nothing.
        return {MESSAGE: message, "done": False}

    def cleanup(self) -> None:
        """Called by Ray when the process ends in good order."""
        self._release()

    def _take(self, config: dict[str, Any]) -> None:
        job: Job = config["job"]
        assignment: Assignment = config["assignment"]
        self._spent = False
        self._attempt = Attempt(job, assignment)

    def _release(self) -> None:
        self._attempt.close()
