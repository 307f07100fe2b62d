"""Finished searches, and comparisons whose runs take no time: the ledger is real, Ray and the training are not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tuner.facts.records import Origin, State
from tuner.hyperparameters.table import TRAINABLES
from tuner.journal.events import Ask, Close, End, Epoch, Event, Open
from tuner.leaderboard.info import SearchInfo
from tuner.search.ledger import Ledger, Listener
from tuner.search.messages import Ended, Message, Report
from tuner.space.read import read_search_file
from tuner.study import compare, workplace
from tuner.study.folder import Folder
from tuner.study.job import Job
from tuner.study.observer import Work
from tuner.study.preparation import prepare_data
from tuner.study.resources import Machine

#: A run's configuration, seed included, to its score and other numbers; an Ended is how it ends without a score.
Outcome = tuple[float, dict[str, float | None]] | Ended

BUILTIN = """
    name: s
    data: {dataset: digits, validation: 200}
    search: {trials: 3, seed: 1}
    parameters:
      model: cnn
      epochs: 3
      optimizer: {values: [sgd, adamw]}
      lr: {min: 1e-3, max: 1e-1, log: true}
      weight_decay: {min: 1e-5, max: 1e-2, log: true}
"""

OWN = """
    name: s
    trainable: mine:train
    metric: {name: loss, goal: minimize}
    search: {trials: 3, points: [{x: 0.5}]}
    scheduler: {type: none}
    parameters:
      x: {min: 0.0, max: 1.0}
"""


def finished_search(
    folder: Path,
    text: str,
    configs: Sequence[Mapping[str, Any]],
    scores: Sequence[float | None],
    results: Path | None = None,
) -> Path:
    """Write a search whose trials had these configurations and scores (None: it failed); returns its results folder.

    It lies below ``results``, a folder or a working copy, which is ``results/`` in ``folder`` where nothing is said.
    """
    (folder / "space.yaml").write_text(dedent(text))
    (folder / "mine.py").write_text("def train(config):\n    yield {'loss': 0.0}\n")
    file = read_search_file(folder / "space.yaml", trainables=TRAINABLES)
    search = Folder((results or folder / "results") / file.name)
    events: list[Event] = [Open(at=0.0, slots=1, trials=len(configs))]
    for n, (config, score) in enumerate(zip(configs, scores, strict=True)):
        at = float(n)
        events.append(Ask(at=at, n=n, config={**config, "seed": n}, origin=Origin.RANDOM if n else Origin.POINT))
        if score is not None:
            said = {"score": score, "metrics": {}, "seconds": 1.0, "memory_mb": None, "checkpoint": None}
            events.append(Epoch(at=at, n=n, attempt=1, epoch=1, **said))
        state = State.FAILED if score is None else State.COMPLETED
        events.append(End(at=at, n=n, attempt=1, state=state, stop_reason="budget"))
    with search.writer() as log:
        log.append(*events, Close(at=9.0, reason="trials", seconds=9.0))
        info = SearchInfo.of(file.name, file.metric.name, file.metric.goal, file.space)
        search.describe(file, info, data_record(file), "2026-01-31T18:00:00+00:00")
    return search.path


def data_record(file: Any) -> dict[str, Any] | None:
    prepared = prepare_data(file, None)
    if prepared is None:
        return None
    counts = {"train_count": prepared.train_count, "classes": list(prepared.classes)}
    return {"dataset": file.data.dataset, "fingerprint": prepared.fingerprint, **counts}


class Trained:
    """Counts what was trained, and stands in for Ray.

    Attributes:
        configs: What was trained, in order.
        job: What the last comparison's runs shared.
        count: How many runs people were told of.
    """

    def __init__(self, outcome: Callable[[Mapping[str, Any]], Outcome]) -> None:
        self.configs: list[dict[str, Any]] = []
        self.job: Job | None = None
        self.count = 0
        self.outcome = outcome

    def drive(
        self, ledger: Ledger, job: Job, file: object, work: Work, *, listeners: Sequence[Listener] = (), **_: object
    ) -> None:
        self.job, self.count = job, ledger.history.wanted
        ledger.listeners += listeners
        while (assignment := ledger.next_assignment()) is not None:
            self.configs.append(assignment.config)
            outcome = self.outcome(assignment.config)
            message = Message(assignment.number, assignment.attempt)
            if isinstance(outcome, Ended):
                ledger.receive(Message(message.number, message.attempt, ended=outcome))
                continue
            report = Report(1, outcome[0], outcome[1], seconds=1.0, memory_mb=None, checkpoint=None)
            ended = Ended(State.COMPLETED, "budget")
            ledger.receive(Message(message.number, message.attempt, report=report, ended=ended))


def stand_in(monkeypatch: pytest.MonkeyPatch, outcome: Callable[[Mapping[str, Any]], Outcome]) -> Trained:
    """Let comparisons train with a function."""
    trained = Trained(outcome)
    monkeypatch.setattr(compare, "drive", trained.drive)
    monkeypatch.setattr(workplace, "running_ray", lambda *_: contextlib.nullcontext((Machine(2, 0),)))
    return trained
