"""What the driver itself costs, without Ray: workers that answer at once, a log on disk, the leaderboard.

    python benchmarks/driver.py [--trials 100 1000 10000] [--slots 16 256 1000] [--peer-trials 1000] [--folder FOLDER]

For every number of trials and slots: a search (ASHA, random proposals, every report durable) through the program's
own ledger, proposer and log, which ends with all slots taken; then, in a fresh process, its resume, proposals by TPE
over that history, and the write of both Parquet files. The peer is Optuna with a journal file as storage, told the
same (RandomSampler, SuccessiveHalvingPruner), and an Optuna study in memory that proposes by TPE over the same
history. Each process is fresh, so that its peak of memory is its own. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import optuna
from common import machine, versions
from formula import EPOCHS, SEARCH_FILE, numbers

from tuner.facts.records import Decision, State
from tuner.hyperparameters.table import TRAINABLES
from tuner.journal.log import Log, open_log
from tuner.leaderboard.info import SearchInfo
from tuner.leaderboard.rows import EndedRows
from tuner.leaderboard.write import write_results
from tuner.search.ledger import Ledger
from tuner.search.messages import Assignment, Ended, Message, Report, Started
from tuner.search.proposer import Proposer
from tuner.search.samplers.tpe import tpe_sampler
from tuner.search.schedulers.registry import scheduler_of
from tuner.space.read import read_search_file
from tuner.space.searchfile import SearchFile

METRIC = "val_accuracy"
T = TypeVar("T")


@dataclass
class Clock:
    """The seconds that calls of one kind took, one by one, and those of the processor in all of them."""

    seconds: list[float] = field(default_factory=list)
    processor_seconds: float = 0.0

    def time(self, function: Callable[[], T]) -> T:
        """Call a function."""
        began, processor_began = time.perf_counter(), time.process_time()
        result = function()
        self.seconds.append(time.perf_counter() - began)
        self.processor_seconds += time.process_time() - processor_began
        return result

    def summary(self) -> dict[str, float]:
        """Return milliseconds: the mean, that of the last tenth, which shows what grows, and the processor's share.

        The last is what a busy machine leaves nearly as it is.
        """
        last = self.seconds[-max(1, len(self.seconds) // 10) :]
        return {
            "ms": milliseconds(statistics.fmean(self.seconds)),
            "ms_at_end": milliseconds(statistics.fmean(last)),
            "cpu_ms": milliseconds(self.processor_seconds / len(self.seconds)),
        }


def milliseconds(seconds: float) -> float:
    return round(1000 * seconds, 3)


def search_file(folder: Path, algorithm: str, trials: int, slots: int) -> SearchFile:
    text = SEARCH_FILE.format(name="driver", algorithm=algorithm, trials=trials, slots=slots, pause=0.0)
    (folder / "space.yaml").write_text(text)
    (folder / "formula.py").write_bytes((Path(__file__).parent / "formula.py").read_bytes())
    return read_search_file(folder / "space.yaml", trainables=TRAINABLES)


def ledger_of(log: Log, file: SearchFile, slots: int, warm_points: Sequence[Mapping[str, Any]] = ()) -> Ledger:
    """Return the ledger over a log, built as the driver builds it."""
    search, goal = file.search, file.metric.goal
    proposer = Proposer(
        file.space,
        algorithm=search.algorithm,
        seed=search.seed,
        goal=goal,
        warm_points=warm_points,
        options=search.options,
        replicates=search.replicates,
    )
    return Ledger(
        log,
        proposer,
        scheduler_of(file.scheduler, goal),
        goal=goal,
        seed=search.seed,
        trials=search.trials,
        slots=slots,
        retries=file.retries,
    )


def fill(folder: Path, trials: int, slots: int, _asks: int = 0, *, checkpoints: bool = True) -> dict[str, Any]:
    """Run a search until ``trials`` have ended and as many as there are slots run.

    A report that names a checkpoint is durable before its trial goes on; others are grouped for up to a second.
    """
    file = search_file(folder, "random", trials + slots, slots)
    asks, reports = Clock(), Clock()
    with open_log(folder) as log:
        ledger = ledger_of(log, file, slots)
        began = time.perf_counter()
        run(ledger, asks, reports, trials, slots, checkpoints=checkpoints)
        seconds = time.perf_counter() - began
        return fill_record(folder / "events.jsonl", seconds, asks, reports)


def run(ledger: Ledger, asks: Clock, reports: Clock, trials: int, slots: int, *, checkpoints: bool) -> None:
    """Answer for the workers, one epoch of each running trial in turn."""
    running: deque[tuple[Assignment, int]] = deque()
    ended = 0
    while ended < trials:
        while len(running) < slots:
            asked = asks.time(ledger.next_assignment)
            assert asked is not None
            running.append((asked, 1))
        assignment, epoch = running.popleft()
        message = message_of(assignment, epoch, checkpoints)
        if reports.time(lambda message=message: ledger.receive(message)) is Decision.CONTINUE:
            running.append((assignment, epoch + 1))
        else:
            ended += 1
        ledger.flush()


def message_of(assignment: Assignment, epoch: int, checkpoints: bool) -> Message:
    metrics: dict[str, float | None] = dict(numbers(assignment.config, epoch))
    score = metrics.pop(METRIC)
    assert score is not None
    started = Started(time.time(), "node", "cpu") if epoch == 1 else None
    report = Report(
        epoch, score, metrics, seconds=0.0, memory_mb=512.0, checkpoint=f"a1-e{epoch}" if checkpoints else None
    )
    ended = Ended(State.COMPLETED, "budget") if epoch == EPOCHS else None
    return Message(assignment.number, assignment.attempt, started, report, ended)


def resume(folder: Path, trials: int, slots: int, asks: int) -> dict[str, Any]:
    """Replay the log; propose and publish from what it holds."""
    file = search_file(folder, "tpe", trials + 2 * slots, slots)
    replay, proposals, first_write, writes = Clock(), Clock(), Clock(), Clock()
    ledger = replay.time(lambda: ledger_of(open_log(folder), file, slots))
    replay_mb = peak_mb()
    proposer, known = ledger._proposer, len(ledger.history.trials)
    for index in range(asks):
        proposals.time(lambda index=index: proposer.propose(known + index))
    info = SearchInfo.of(file.name, file.metric.name, file.metric.goal, file.space)
    ended = EndedRows()
    for clock in (first_write, writes, writes, writes):
        clock.time(lambda: write_results(folder, ledger.history, info, live=True, kept={}, ended=ended))
    return {
        "replay_seconds": round(replay.seconds[0], 2),
        "replay_cpu_seconds": round(replay.processor_seconds, 2),
        "replay_peak_mb": replay_mb,
        "tpe_ask": proposals.summary(),
        "first_publish": first_write.summary(),
        "publish": writes.summary(),
        "parquet_mb": round(sum(path.stat().st_size for path in folder.glob("*.parquet")) / 1e6, 2),
    }


def peer_fill(folder: Path, trials: int, slots: int, _asks: int) -> dict[str, Any]:
    """Run the same search in Optuna, its journal file as the log."""
    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=3, reduction_factor=3)
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(
        storage=journal(folder), study_name="driver", direction="maximize", sampler=sampler, pruner=pruner
    )
    asks, reports = Clock(), Clock()
    running: deque[tuple[optuna.Trial, dict[str, Any], int]] = deque()
    began = time.perf_counter()
    ended = 0
    while ended < trials:
        while len(running) < slots:
            trial, config = asks.time(lambda: suggested(study))
            running.append((trial, config, 1))
        trial, config, epoch = running.popleft()
        if reports.time(lambda trial=trial, config=config, epoch=epoch: peer_report(study, trial, config, epoch)):
            running.append((trial, config, epoch + 1))
        else:
            ended += 1
    return fill_record(folder / "journal.log", time.perf_counter() - began, asks, reports)


def suggested(study: optuna.Study) -> tuple[optuna.Trial, dict[str, Any]]:
    """Ask for a configuration of the search file's space."""
    trial = study.ask()
    optimizer = trial.suggest_categorical("optimizer", ["sgd", "adamw"])
    config = {
        "pause": 0.0,
        "batch_size": trial.suggest_categorical("batch_size", [128, 256, 512]),
        "optimizer": optimizer,
        "weight_decay": trial.suggest_float("weight_decay", 1e-5, 1e-2, log=True),
        "dropout": trial.suggest_float("dropout", 0.0, 0.5),
        "mixup_alpha": trial.suggest_categorical("mixup_alpha", [0.0, 0.1, 0.2, 0.4, 1.0]),
        "label_smoothing": trial.suggest_float("label_smoothing", 0.0, 0.2),
        "width": trial.suggest_int("width", 16, 128),
    }
    if optimizer == "sgd":
        config["lr"] = trial.suggest_float("lr@0", 1e-2, 1.0, log=True)
        config["momentum"] = trial.suggest_float("momentum", 0.8, 0.98)
    else:
        config["lr"] = trial.suggest_float("lr@1", 1e-4, 1e-2, log=True)
    return trial, config


def peer_report(study: optuna.Study, trial: optuna.Trial, config: dict[str, Any], epoch: int) -> bool:
    """Report one epoch; returns whether the trial goes on."""
    value = numbers(config, epoch)[METRIC]
    trial.report(value, epoch)
    if epoch == EPOCHS:
        study.tell(trial, value)
        return False
    if trial.should_prune():
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        return False
    return True


def peer_resume(folder: Path, _trials: int, _slots: int, asks: int) -> dict[str, Any]:
    """Load the journal; propose by TPE, one sampler over all asks, from what it holds, in memory."""
    load, proposals = Clock(), Clock()
    loaded = load.time(lambda: optuna.load_study(storage=journal(folder), study_name="driver"))
    replay_mb = peak_mb()
    study = optuna.create_study(direction="maximize", sampler=tpe_sampler(0))
    study.add_trials(loaded.get_trials(deepcopy=False))
    for _ in range(asks):
        proposals.time(lambda: suggested(study))
    return {
        "replay_seconds": round(load.seconds[0], 2),
        "replay_cpu_seconds": round(load.processor_seconds, 2),
        "replay_peak_mb": replay_mb,
        "tpe_ask": proposals.summary(),
    }


def journal(folder: Path) -> optuna.storages.JournalStorage:
    return optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(folder / "journal.log")))


def fill_record(log: Path, seconds: float, asks: Clock, reports: Clock) -> dict[str, Any]:
    return {
        "seconds": round(seconds, 2),
        "reports": len(reports.seconds),
        "reports_per_second": round(len(reports.seconds) / seconds),
        "ask": asks.summary(),
        "report": reports.summary(),
        "log_mb": round(log.stat().st_size / 1e6, 2),
        "peak_mb": peak_mb(),
    }


def peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


#: Who is measured: what fills a log, and what takes it up in another process.
SIDES: dict[str, tuple[Callable[..., dict[str, Any]], Callable[..., dict[str, Any]]]] = {
    "tuner": (fill, resume),
    "optuna": (peer_fill, peer_resume),
}


def in_process(*arguments: object) -> dict[str, Any]:
    """Run one part in a fresh process."""
    command = [sys.executable, __file__, "--part", *map(str, arguments)]
    record: dict[str, Any] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    return record


def measured(side: str, trials: int, slots: int, asks: int, folder: Path | None) -> dict[str, Any]:
    """Fill a log and take it up again."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        filled = in_process(side, 0, name, trials, slots, asks)
        return {
            "side": side,
            "trials": trials,
            "slots": slots,
            **filled,
            **in_process(side, 1, name, trials, slots, asks),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--slots", type=int, nargs="+", default=[16, 256, 1000])
    parser.add_argument("--asks", type=int, default=20, help="proposals by TPE")
    parser.add_argument("--peer-trials", type=int, default=1000, help="the peer is left out above so many trials")
    parser.add_argument("--folder", type=Path, help="where the logs are written: the disk that counts")
    parser.add_argument("--part", nargs=6, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part is not None:
        side, step, folder, *counts = args.part
        trials, slots, asks = map(int, counts)
        part = SIDES[side][int(step)]
        print(json.dumps(part(Path(folder), trials, slots, asks)))
        return
    where = machine()
    cells = [
        measured(side, trials, slots, args.asks, args.folder)
        for trials in args.trials
        for slots in args.slots
        for side in SIDES
        if side == "tuner" or trials <= args.peer_trials
    ]
    print(json.dumps({"benchmark": "driver", "cells": cells, **where, "versions": versions("optuna", "pyarrow")}))


if __name__ == "__main__":
    main()
