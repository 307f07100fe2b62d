"""A search of the formula without Ray: real files of a finished search in a second."""

from __future__ import annotations

import importlib.util
import math
import shutil
from pathlib import Path
from typing import Any

from tests.faults.audit import prepare, proposer_of
from tuner.facts.records import Decision, State
from tuner.hyperparameters.table import TRAINABLES
from tuner.leaderboard.info import SearchInfo
from tuner.leaderboard.write import write_results
from tuner.search.ledger import Ledger
from tuner.search.messages import Assignment, Ended, Message, Report
from tuner.search.schedulers.registry import scheduler_of
from tuner.space.read import read_search_file
from tuner.study.folder import Folder


def run_in_this_process(place: Path, trials: int) -> None:
    """Search to the end, one trial after the other, in a folder like that of ``tuner search``."""
    prepare(place)
    file = read_search_file(place / "space.yaml", trainables=TRAINABLES)
    info = SearchInfo.of(file.name, file.metric.name, file.metric.goal, file.space)
    goal, search = file.metric.goal, file.search
    mine = _loaded(place / "mine.py")
    mine.EPOCH_SECONDS = 0.0
    folder = Folder(place / "results/s")
    with folder.writer() as log:
        folder.describe(file, info, None, "2026-01-31T18:00:00+00:00")
        ledger = Ledger(
            log,
            proposer_of(file),
            scheduler_of(file.scheduler, goal),
            goal=goal,
            seed=search.seed,
            trials=trials,
            slots=1,
            retries=0,
        )
        while (assignment := ledger.next_assignment()) is not None:
            _train(mine, place / "checkpoint", ledger, assignment)
        ledger.close("trials")
    write_results(folder.path, ledger.history, info, live=False, kept={})


def _loaded(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("mine", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _train(mine: Any, checkpoint: Path, ledger: Ledger, assignment: Assignment) -> None:
    shutil.rmtree(checkpoint, ignore_errors=True)
    checkpoint.mkdir()
    try:
        for epoch, reported in enumerate(mine.train(assignment.config, checkpoint), start=1):
            if math.isnan(reported["acc"]):
                return ledger.end(assignment.number, Ended(State.DIVERGED, "nan"))
            ended = Ended(State.COMPLETED, "budget") if epoch == mine.EPOCHS else None
            report = Report(epoch, reported["acc"], {}, seconds=0.0, memory_mb=None, checkpoint=None)
            if ledger.receive(Message(assignment.number, 1, None, report, ended)) is Decision.STOP:
                return None
    except MemoryError:
        ledger.end(assignment.number, Ended(State.OUT_OF_MEMORY, "out_of_memory"))
