"""Whether a search that went through faults is right: nothing lost, nothing repeated, nothing wrong.

Three accounts are compared: the log, the Parquet files, and what the trainable of ``formula.py`` wrote down by itself.
Scores, states, ranks, decisions and proposals are computed again from the configurations and the order of the log.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pyarrow.parquet as pq

from tests.faults import formula
from tuner.facts.records import State
from tuner.hyperparameters.table import TRAINABLES
from tuner.journal.events import Ask, End, Epoch, Event, Rung
from tuner.journal.history import History, Trial
from tuner.journal.log import read_events
from tuner.leaderboard.epochs import epochs_table
from tuner.leaderboard.info import SearchInfo
from tuner.leaderboard.rows import leaderboard_table
from tuner.search.proposer import Proposer
from tuner.search.schedulers.registry import scheduler_of
from tuner.space.read import read_search_file
from tuner.space.searchfile import SearchFile

#: Two slots; every end that a trial can have; a rung at epochs 3 and 9.
SPACE = """
    name: s
    trainable: mine:train
    metric: {name: acc, goal: maximize}
    search: {algorithm: tpe, trials: 12, seed: 3, points: [{x: 0.85}, {x: 0.95}]}
    scheduler: {type: asha, grace_period: 3, reduction_factor: 3, max_epochs: 9}
    resources: {cpus_per_trial: 1, max_concurrent: 2}
    retries: 20
    parameters:
      x: {min: 0.0, max: 1.0}
"""

TRIALS = 12


@dataclass(frozen=True)
class Audit:
    """What an audit found; each finding is a sentence.

    Attributes:
        finished: Trials with an end.
        lost: What had been there, or should be, and is not.
        repeated: What was counted more than once.
        wrong: What differs from the formula, or between the accounts.
        epochs: Reports that count.
        again: Epochs that were trained once more.
    """

    finished: int
    lost: tuple[str, ...]
    repeated: tuple[str, ...]
    wrong: tuple[str, ...]
    epochs: int
    again: int

    @property
    def findings(self) -> tuple[str, ...]:
        """Everything that is not as it should be."""
        return self.lost + self.repeated + self.wrong


def prepare(folder: Path, space: str = SPACE) -> None:
    """Write a search file and the formula's trainable into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "space.yaml").write_text(dedent(space))
    (folder / "mine.py").write_bytes(Path(formula.__file__).read_bytes())


def audit(place: Path, trials: int, *, results: Path | None = None, earlier: Sequence[Event] = ()) -> Audit:
    """Audit a search that is finished.

    Args:
        place: Holds the search file, the trainable and what it wrote down.
        trials: How many there should be.
        results: The search's results folder; None for the one below ``place``.
        earlier: What the log held before the last faults.
    """
    folder = results or place / "results/s"
    file = read_search_file(place / "space.yaml", trainables=TRAINABLES)
    events = read_events(folder)
    history = History(events)
    board = pq.read_table(folder / "leaderboard.parquet")
    epochs = pq.read_table(folder / "epochs.parquet")
    rows = [(row["number"],) for row in board.to_pylist()]
    reports = [(row["number"], row["epoch"]) for row in epochs.to_pylist()]
    trained = [json.loads(line) for line in (place / "trained.jsonl").read_text().splitlines()]
    info = SearchInfo.of(file.name, file.metric.name, file.metric.goal, file.space)
    return Audit(
        finished=sum(trial.end is not None for trial in history.trials.values()),
        lost=(*_lost(history, trials, trained, rows, reports), *_forgotten(events, earlier)),
        repeated=(*_repeated(events), *_twice("a row", rows), *_twice("a row of an epoch", reports)),
        wrong=(
            *_wrong_reports(history, trained),
            *_wrong_decisions(file, events),
            *_wrong_proposals(file, events),
            *_wrong_rows(history, board.to_pylist(), folder),
            *_wrong_files(history, info, board, epochs),
        ),
        epochs=sum(len(trial.epochs) for trial in history.trials.values()),
        again=sum(count - 1 for count in Counter((line["seed"], line["epoch"]) for line in trained).values()),
    )


def _lost(
    history: History,
    trials: int,
    trained: list[dict[str, Any]],
    rows: list[tuple[int]],
    reports: list[tuple[int, int]],
) -> Iterator[str]:
    for n in range(trials):
        if n not in history.trials:
            yield f"trial {n} was never proposed"
        elif history.trials[n].end is None:
            yield f"trial {n} has no end"
    seeds = {trial.ask.config["seed"] for trial in history.trials.values()}
    for seed in {line["seed"] for line in trained} - seeds:
        yield f"a trial was trained that the log does not know (seed {seed})"
    for n, trial in history.trials.items():
        if (n,) not in rows:
            yield f"trial {n} has no row"
        yield from (f"epoch {epoch} of trial {n} has no row" for epoch in trial.epochs if (n, epoch) not in reports)


def _forgotten(events: Sequence[Event], earlier: Sequence[Event]) -> Iterator[str]:
    """What was durable stays: an older state of the log is how the newer one begins."""
    if list(events[: len(earlier)]) != list(earlier):
        yield "the log does not begin with what it held before"


def _repeated(events: Sequence[Event]) -> Iterator[str]:
    asks = [event for event in events if isinstance(event, Ask)]
    yield from _twice("an ask", [event.n for event in asks])
    yield from _twice("a seed", [event.config["seed"] for event in asks])
    yield from _twice("an end", [event.n for event in events if isinstance(event, End)])
    yield from _twice("a report", [(event.n, event.epoch) for event in events if isinstance(event, Epoch)])
    yield from _twice("a decision", [(event.n, event.epoch) for event in events if isinstance(event, Rung)])


def _twice(what: str, keys: Sequence[Any]) -> Iterator[str]:
    yield from (f"{what} is there {count} times: {key}" for key, count in Counter(keys).items() if count > 1)


def _wrong_reports(history: History, trained: list[dict[str, Any]]) -> Iterator[str]:
    """Reports that the formula does not give or that nobody trained; epochs trained more often than faults excuse."""
    times = Counter((line["seed"], line["epoch"]) for line in trained)
    for n, trial in history.trials.items():
        x, seed = trial.ask.config["x"], trial.ask.config["seed"]
        state, last = _expected(trial)
        if trial.state != state or sorted(trial.epochs) != list(range(1, last + 1)):
            yield f"trial {n} is {trial.state} with epochs {sorted(trial.epochs)}, not {state} with {last}"
        for epoch, report in trial.epochs.items():
            if report.score != formula.score(x, epoch):
                yield f"trial {n} reports {report.score} for epoch {epoch}"
            if (seed, epoch) not in times:
                yield f"epoch {epoch} of trial {n} was reported and never trained"
        again = sum(count - 1 for (of, _), count in times.items() if of == seed)
        if again > trial.attempt - 1:
            yield f"trial {n} trained {again} epochs again in {trial.attempt} attempts"


def _expected(trial: Trial) -> tuple[str, int]:
    """Return (state, epochs) that a trial must have."""
    if trial.stop_decision is not None:
        return str(State.STOPPED), trial.stop_decision.epoch
    return formula.outcome(trial.ask.config["x"])


def _wrong_decisions(file: SearchFile, events: Sequence[Event]) -> Iterator[str]:
    scheduler = scheduler_of(file.scheduler, file.metric.goal)
    expected = {}
    for event in events:
        if isinstance(event, Epoch):
            expected[event.n, event.epoch] = scheduler.judge(event.n, event.epoch, event.score)
        elif isinstance(event, Rung) and event.decision is not expected.get((event.n, event.epoch)):
            yield f"trial {event.n} was judged {event.decision} at epoch {event.epoch}"
        scheduler.observe(event)
    judged = {(event.n, event.epoch) for event in events if isinstance(event, Rung)}
    for (n, epoch), decision in expected.items():
        if decision is not None and (n, epoch) not in judged:
            yield f"trial {n} was not judged at epoch {epoch}"


def proposer_of(file: SearchFile) -> Proposer:
    """Return a fresh proposer of a search."""
    search = file.search
    settings: dict[str, Any] = {"algorithm": search.algorithm, "seed": search.seed, "goal": file.metric.goal}
    return Proposer(file.space, points=search.points, replicates=search.replicates, **settings)


def _wrong_proposals(file: SearchFile, events: Sequence[Event]) -> Iterator[str]:
    """Each proposal is a function of the seed, the number and the log before it, however often the driver died."""
    proposer = proposer_of(file)
    history = History()
    for event in events:
        if isinstance(event, Ask):
            proposal = proposer.propose(event.n)
            if (proposal.config["x"], proposal.origin) != (event.config["x"], event.origin):
                yield f"trial {event.n} has x {event.config['x']}, the log before it gives {proposal.config['x']}"
        if history.apply(event):
            proposer.observe(event)


def _wrong_rows(history: History, rows: list[dict[str, Any]], folder: Path) -> Iterator[str]:
    finals = {
        n: formula.score(trial.ask.config["x"], formula.EPOCHS)
        for n, trial in history.trials.items()
        if _expected(trial) == (str(State.COMPLETED), formula.EPOCHS)
    }
    ranks = {n: rank for rank, n in enumerate(sorted(finals, key=lambda n: (-finals[n], n)), start=1)}
    for row in rows:
        trial = history.trials.get(row["number"])
        if trial is None:
            yield f"a row is of trial {row['number']}, which the log does not know"
            continue
        state, last = _expected(trial)
        scored = state in (State.COMPLETED, State.STOPPED)
        x = trial.ask.config["x"]
        expected = {
            "search": _name(folder),
            "state": state,
            "rank": ranks.get(trial.number),
            "epochs_run": last,
            "score": formula.score(x, last) if scored else None,
            "best_epoch": last if scored else None,
            "x": x,
            "seed": trial.ask.config["seed"],
            "attempts": trial.attempt,
        }
        yield from (
            f"trial {trial.number} has {name} {row[name]}, not {value}"
            for name, value in expected.items()
            if row[name] != value
        )
        if row["checkpoint"] is not None and (folder / row["checkpoint"] / "epoch").read_text() != str(last):
            yield f"the checkpoint of trial {trial.number} is not of epoch {last}"


def _name(folder: Path) -> str:
    """Return the name under which a search was begun; a copied folder keeps it."""
    return str(json.loads((folder / "search.json").read_text())["settings"]["name"])


def _wrong_files(history: History, info: SearchInfo, board: Any, epochs: Any) -> Iterator[str]:
    """The files are the fold of the log, row by row; which checkpoints were kept is not in the log."""
    fold = leaderboard_table(history, info, live=False)
    if not board.drop_columns("checkpoint").equals(fold.drop_columns("checkpoint")):
        yield "leaderboard.parquet is not what the log adds up to"
    if not epochs.equals(epochs_table(history, info)):
        yield "epochs.parquet is not what the log adds up to"
