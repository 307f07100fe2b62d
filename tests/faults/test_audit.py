"""The audit of searches finds what it is there for: each kind of loss, repetition and error is planted and seen."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.faults.audit import TRIALS, audit
from tuner.facts.records import Decision, State
from tuner.journal.events import Ask, End, Epoch, Event, Rung, encode
from tuner.journal.log import read_events
from tuner.leaderboard.write import encoded


@pytest.fixture
def place(searched: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(searched, tmp_path / "place"))


def test_a_search_without_faults_is_clean(place: Path) -> None:
    found = audit(place, TRIALS, earlier=read_events(place / "results/s")[:30])
    assert found.findings == () and found.finished == TRIALS and found.again == 0
    states = {event.state for event in read_events(place / "results/s") if isinstance(event, End)}
    assert states == {State.COMPLETED, State.STOPPED, State.DIVERGED, State.OUT_OF_MEMORY}


def without(kind: type[Event]) -> Callable[[list[Event]], list[Event]]:
    """Return what drops a log's last event of a kind."""

    def change(events: list[Event]) -> list[Event]:
        last = max(index for index, event in enumerate(events) if isinstance(event, kind))
        return events[:last] + events[last + 1 :]

    return change


def twice(kind: type[Event]) -> Callable[[list[Event]], list[Event]]:
    return lambda events: [again for event in events for again in [event] * (1 + isinstance(event, kind))]


def changed(kind: type[Event], **values: Any) -> Callable[[list[Event]], list[Event]]:
    """Return what changes the first event of a kind that differs."""

    def change(events: list[Event]) -> list[Event]:
        first = next(
            index
            for index, event in enumerate(events)
            if isinstance(event, kind) and any(getattr(event, name) != value for name, value in values.items())
        )
        return [*events[:first], replace(events[first], **values), *events[first + 1 :]]

    return change


@pytest.mark.parametrize(
    ("change", "account", "said"),
    [
        (without(End), "lost", "has no end"),
        (lambda events: [event for event in events if event.n != 5], "lost", "trial 5 was never proposed"),
        (lambda events: [event for event in events if event.n != 5], "lost", "that the log does not know"),
        (twice(Ask), "repeated", "an ask is there 2 times"),
        (twice(Ask), "repeated", "a seed is there 2 times"),
        (twice(Epoch), "repeated", "a report is there 2 times"),
        (twice(Rung), "repeated", "a decision is there 2 times"),
        (twice(End), "repeated", "an end is there 2 times"),
        (changed(Epoch, score=0.5), "wrong", "reports 0.5 for epoch"),
        (changed(End, state=State.FAILED), "wrong", "is failed with epochs"),
        (changed(Rung, decision=Decision.STOP), "wrong", "was judged stop"),
        (without(Rung), "wrong", "was not judged"),
        (changed(Ask, config={"x": 0.123, "seed": 1}), "wrong", "has x 0.123, the log before it gives"),
        (without(Epoch), "wrong", "is not what the log adds up to"),
    ],
)
def test_a_wrong_log_is_seen(
    place: Path, change: Callable[[list[Event]], list[Event]], account: str, said: str
) -> None:
    log = place / "results/s/events.jsonl"
    log.write_bytes(b"".join(map(encode, change(read_events(log.parent)))))
    assert any(said in sentence for sentence in getattr(audit(place, TRIALS), account))


def test_a_log_that_forgot_is_seen(place: Path) -> None:
    events = read_events(place / "results/s")
    (lost,) = audit(place, TRIALS, earlier=[*events[:10], *events[9:]]).lost
    assert lost == "the log does not begin with what it held before"


def column(name: str, value: Any) -> Callable[[pa.Table], pa.Table]:
    """Return what gives a column's first row another value."""

    def change(table: pa.Table) -> pa.Table:
        position = table.schema.get_field_index(name)
        first = pa.array([True] + [False] * (len(table) - 1))
        values = pc.if_else(first, pa.scalar(value, table.schema.field(name).type), table.column(name))
        return table.set_column(position, table.schema.field(position), values)

    return change


@pytest.mark.parametrize(
    ("file", "change", "account", "said"),
    [
        ("leaderboard", lambda table: table.slice(1), "lost", "has no row"),
        (
            "leaderboard",
            lambda table: pa.concat_tables([table, table.slice(3, 1)]),
            "repeated",
            "a row is there 2 times",
        ),
        ("leaderboard", column("score", 0.99), "wrong", "has score 0.99, not"),
        ("leaderboard", column("rank", 2), "wrong", "has rank 2, not 1"),
        ("leaderboard", column("state", "stopped"), "wrong", "has state stopped, not completed"),
        ("leaderboard", column("best_epoch", 8), "wrong", "has best_epoch 8, not 9"),
        ("leaderboard", column("x", 0.5), "wrong", "has x 0.5, not"),
        ("leaderboard", column("attempts", 2), "wrong", "has attempts 2, not 1"),
        ("leaderboard", column("train_seconds", 9.0), "wrong", "leaderboard.parquet is not what the log adds up to"),
        ("epochs", lambda table: table.slice(1), "lost", "epoch 1 of trial 0 has no row"),
        ("epochs", lambda table: pa.concat_tables([table, table.slice(3, 1)]), "repeated", "a row of an epoch"),
        ("epochs", column("score", 0.99), "wrong", "epochs.parquet is not what the log adds up to"),
    ],
)
def test_a_wrong_file_is_seen(
    place: Path, file: str, change: Callable[[pa.Table], pa.Table], account: str, said: str
) -> None:
    path = place / f"results/s/{file}.parquet"
    path.write_bytes(encoded([change(pq.read_table(path))]))
    assert any(said in sentence for sentence in getattr(audit(place, TRIALS), account))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: [*lines, lines[0]], "trained 1 epochs again in 1 attempts"),
        (lambda lines: lines[1:], "was reported and never trained"),
    ],
)
def test_training_that_the_log_does_not_explain_is_seen(
    place: Path, change: Callable[[list[str]], list[str]], said: str
) -> None:
    path = place / "trained.jsonl"
    path.write_text("".join(change(path.read_text().splitlines(keepends=True))))
    assert any(said in sentence for sentence in audit(place, TRIALS).wrong)
