"""What the driver hands to a worker and what a worker tells the driver: small frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tuner.facts.records import State


@dataclass(frozen=True)
class Assignment:
    """One attempt at one trial.

    Attributes:
        number: The trial's number.
        attempt: From 1.
        config: The active hyperparameters and ``seed``.
        after_epoch: The newest epoch that the log holds; the attempt continues from the newest checkpoint of the
            trial that is not ahead of it.
    """

    number: int
    attempt: int
    config: dict[str, Any]
    after_epoch: int = 0


@dataclass(frozen=True)
class Started:
    """Where and when an attempt began (seconds since the epoch, the worker's clock)."""

    at: float
    node: str
    device: str


@dataclass(frozen=True)
class Report:
    """One epoch. ``score`` and ``metrics`` are finite."""

    epoch: int
    score: float
    metrics: dict[str, float | None]
    seconds: float
    memory_mb: float | None
    checkpoint: str | None


@dataclass(frozen=True)
class Ended:
    """How an attempt ended by itself. ``clean`` says whether its process may serve another trial."""

    state: State
    stop_reason: str
    error: str | None = None

    @property
    def clean(self) -> bool:
        """Whether nothing went wrong in the process."""
        return self.state is State.COMPLETED


@dataclass(frozen=True)
class Message:
    """What a worker says in one step: one report, or an end; the first of an attempt also says that it started.

    ``storage_error`` is a sentence: results cannot be written, so that no trial can go on.
    """

    number: int
    attempt: int
    started: Started | None = None
    report: Report | None = None
    ended: Ended | None = None
    storage_error: str | None = None
