"""Writes small logs of searches through the real journal, for tests of what is made from them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tuner.facts.records import Decision, Goal, Origin, State
from tuner.journal.events import Ask, Close, End, Epoch, Event, Open, Rung, Start
from tuner.journal.history import History
from tuner.journal.log import open_log
from tuner.leaderboard.info import SearchInfo
from tuner.leaderboard.write import write_results

#: 2026-01-31 18:00:00 UTC
NOON = 1769882400.0

INFO = SearchInfo(
    "demo",
    "val_accuracy",
    Goal.MAXIMIZE,
    {
        "model": "string",
        "optimizer": "string",
        "lr": "float64",
        "momentum": "float64",
        "batch_size": "Int64",
        "flip": "boolean",
        "milestones": "json",
        "epochs": "Int64",
    },
)


def config(**changes: Any) -> dict[str, Any]:
    """Return a configuration of the demo search."""
    values = {"model": "cnn", "optimizer": "adamw", "lr": 0.01, "batch_size": 128, "flip": True, "epochs": 3}
    return {**values, "milestones": [1, 2], "seed": 7, **changes}


def trial(
    n: int,
    scores: Sequence[float],
    state: State | None = State.COMPLETED,
    *,
    reason: str = "budget",
    error: str | None = None,
    node: str = "alpha",
    attempt: int = 1,
    metrics: dict[str, Any] | None = None,
    **changes: Any,
) -> Iterator[Event]:
    """Yield the events of one trial: 2 s of waiting, 10 s an epoch, an end 1 s after the last one."""
    at = NOON + 100 * n
    yield Ask(at=at, n=n, config=config(**changes), origin=Origin.RANDOM)
    yield Start(at=at + 2, n=n, attempt=attempt, node=node, device="cpu")
    for epoch, score in enumerate(scores, start=1):
        more = {"val_loss": 1 - score, "train_loss": 0.5, "images_per_second": 100.0 * epoch, "parameter_count": 1000}
        yield Epoch(
            at=at + 2 + 10 * epoch,
            n=n,
            attempt=attempt,
            epoch=epoch,
            score=score,
            metrics={**more, **(metrics or {})},
            seconds=10.0,
            memory_mb=200.0 + epoch,
            checkpoint=f"epoch-{epoch}",
        )
    end = at + 3 + 10 * len(scores)
    if state is State.STOPPED:
        yield Rung(at=end, n=n, attempt=attempt, epoch=len(scores), value=scores[-1], decision=Decision.STOP)
    if state is not None:
        yield End(at=end, n=n, attempt=attempt, state=state, stop_reason=reason, error=error)


def demo() -> list[Event]:
    """Return a search with a trial in every state: numbers 0 to 6, of which 1 and then 0 lead."""
    return [
        Open(at=NOON, slots=1, trials=7),
        *trial(0, [0.5, 0.7, 0.6], lr=0.1, milestones="none"),
        *trial(1, [0.6, 0.9], optimizer="sgd", momentum=0.9, batch_size=256),
        *trial(2, [0.4], State.STOPPED, reason="asha", node="beta", lr=0.02),
        *trial(3, [0.3], State.DIVERGED, reason="nan"),
        *trial(4, [], State.FAILED, reason="error", error="ValueError: no such layer"),
        *trial(5, [0.2], State.OUT_OF_MEMORY, reason="out_of_memory"),
        *trial(6, [0.1], None, lr=0.5),
    ]


def write_search(
    folder: Path, events: Sequence[Event], info: SearchInfo = INFO, *, live: bool = False, close: bool = True
) -> Path:
    """Write a search's folder as a driver does: description, log, Parquet files."""
    folder.mkdir(parents=True)
    (folder / "search.json").write_text(json.dumps({"version": 1, **info.to_json()}))
    with open_log(folder) as log:
        log.append(*events)
        if close:
            log.append(Close(at=NOON + 1000, reason="trials", seconds=1000.0))
    write_results(folder, History(events), info, live=live, kept={1: "checkpoints/1/epoch-2"})
    return folder
