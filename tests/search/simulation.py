"""A whole search on a formula, without Ray and without torch: milliseconds instead of minutes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from tuner.facts.records import Decision, Goal, State
from tuner.journal.log import open_log
from tuner.search.ledger import Ledger
from tuner.search.messages import Assignment, Ended, Message, Report, Started
from tuner.search.proposer import Proposer
from tuner.search.schedulers import registry
from tuner.search.schedulers.scheduler import Scheduler
from tuner.space.algorithms import defaults_of
from tuner.space.domains import Constant, Integer, Listed, Real
from tuner.space.parameters import Alternative, Parameter
from tuner.space.searchfile import Scheduler as Settings
from tuner.space.space import Space

EPOCHS = 9

COMPLETED = Ended(State.COMPLETED, "budget")


def parameter(name: str, *alternatives: Any) -> Parameter:
    """Return a parameter from domains, or (domain, when) pairs."""
    pairs = [item if isinstance(item, tuple) else (item, {}) for item in alternatives]
    return Parameter(name, tuple(Alternative(domain, when) for domain, when in pairs))


def space_of(*parameters: Parameter, constraints: tuple[Any, ...] = ()) -> Space:
    """Return a space of parameters that stand in order."""
    return Space({item.name: item for item in parameters}, constraints)


CONDITIONAL = space_of(
    parameter("optimizer", Listed(("sgd", "adamw"))),
    parameter(
        "lr",
        (Real(0.01, 1.0, log=True), {"optimizer": ("sgd",)}),
        (Real(0.0001, 0.01, log=True), {"optimizer": ("adamw",)}),
    ),
    parameter("momentum", (Real(0.5, 0.99), {"optimizer": ("sgd",)})),
    parameter("depth", Integer(1, 8)),
    parameter("epochs", Constant(EPOCHS)),
)


#: The same shape with 54 configurations, for samplers that need an end of them.
FINITE = space_of(
    parameter("optimizer", Listed(("sgd", "adamw"))),
    parameter(
        "lr",
        (Listed((0.01, 0.1, 1.0)), {"optimizer": ("sgd",)}),
        (Listed((0.0001, 0.001, 0.01)), {"optimizer": ("adamw",)}),
    ),
    parameter("momentum", (Real(0.5, 0.9, step=0.1), {"optimizer": ("sgd",)})),
    parameter("depth", Integer(1, 3)),
    parameter("epochs", Constant(EPOCHS)),
)


def settings_of(scheduler: str, **changes: Any) -> Settings:
    """Return a scheduler's settings: rungs from the first epoch on that judge all trials, and its defaults."""
    values: dict[str, Any] = {"grace_period": 1, "reduction_factor": 3, "max_epochs": EPOCHS}
    further = {name: value for name, value in defaults_of("scheduler", scheduler).items() if name not in values}
    further |= {name: 0 for name in ("exempt", "min_correlation") if name in further}
    values |= {name: value for name, value in changes.items() if name in values}
    further |= {name: value for name, value in changes.items() if name not in values}
    return Settings(type=scheduler, **values, options=further)


def scheduler_of(name: str, goal: Goal = Goal.MAXIMIZE, **changes: Any) -> Scheduler:
    """Return a fresh scheduler."""
    return registry.scheduler_of(settings_of(name, **changes), goal)


def curve(config: dict[str, Any], epoch: int) -> float:
    """Return a made-up accuracy: best at lr 0.1 with sgd, rising with the epochs; NaN where it diverges."""
    if config["optimizer"] == "sgd" and config["lr"] > 0.9:
        return math.nan
    centre = 0.1 if config["optimizer"] == "sgd" else 0.001
    return 0.9 - 0.1 * abs(math.log10(config["lr"] / centre)) - 0.01 * abs(config["depth"] - 4) - 0.3 / epoch


class Killed(Exception):
    """The driver was killed."""


class Simulation:
    """Runs a ledger on ``curve`` with some slots, one epoch of each running trial in turn."""

    def __init__(
        self,
        folder: Path,
        *,
        trials: int = 30,
        slots: int = 1,
        space: Space = CONDITIONAL,
        algorithm: str = "tpe",
        scheduler: str = "asha",
        seed: int = 0,
        settings: dict[str, Any] | None = None,
        scheduling: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        """Set a search up.

        Args: settings: the sampler's, None for its defaults; scheduling: the scheduler's that are not at their
            defaults; options: the ledger's, and points, warm_points, further metrics, proposer.
        """
        self.log = open_log(folder)
        points, further = options.pop("points", ()), options.pop("further", ())
        warm_points = options.pop("warm_points", ())
        self.proposer = options.pop("proposer", None) or Proposer(
            space,
            algorithm=algorithm,
            seed=seed,
            goal=Goal.MAXIMIZE,
            further=further,
            points=points,
            warm_points=warm_points,
            options=settings,
        )
        self.ledger = Ledger(
            self.log,
            self.proposer,
            scheduler_of(scheduler, **(scheduling or {})),
            goal=Goal.MAXIMIZE,
            seed=seed,
            trials=trials,
            slots=slots,
            retries=options.pop("retries", 3),
            **options,
        )
        self.steps = 0

    def run(self, *, die_after: int | None = None) -> Ledger:
        """Run to the end; after ``die_after`` messages, drop everything as kill -9 would."""
        running: list[tuple[Assignment, int]] = []
        try:
            while True:
                while (assignment := self.ledger.next_assignment()) is not None:
                    running.append((assignment, assignment.after_epoch))
                if not running or self.ledger.limit is not None:
                    break
                assignment, epoch = running.pop(0)
                if self.step(assignment, epoch + 1) is Decision.CONTINUE:
                    running.append((assignment, epoch + 1))
                self.steps += 1
                if self.steps == die_after:
                    raise Killed
            self.ledger.close("trials")
        finally:
            self.log.__exit__(None, None, None)
        return self.ledger

    def step(self, assignment: Assignment, epoch: int) -> Decision:
        """Send the ledger what one epoch of a trial reports; returns whether it goes on."""
        value = curve(assignment.config, epoch)
        started = Started(at=0.0, node="here", device="cpu") if epoch == assignment.after_epoch + 1 else None
        report, ended = None, None
        if math.isnan(value):
            ended = Ended(State.DIVERGED, "nan")
        else:
            depth = float(assignment.config["depth"])
            checkpoint = f"a{assignment.attempt}-e{epoch}"
            report = Report(epoch, value, {"size": 10 * depth}, seconds=depth, memory_mb=None, checkpoint=checkpoint)
            ended = COMPLETED if epoch == EPOCHS else None
        return self.ledger.receive(Message(assignment.number, assignment.attempt, started, report, ended))
