"""What the tests of final trainings share: a finished search on digits, and configurations that train in no time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.leaderboard.logs import NOON
from tuner.cli.main import main
from tuner.datasets.prepare import prepare
from tuner.facts.records import Goal, Origin, State
from tuner.journal.events import Ask, Close, End, Epoch, Open, Start
from tuner.journal.history import History
from tuner.journal.log import open_log
from tuner.leaderboard.info import SearchInfo
from tuner.leaderboard.write import write_results

CONFIG = {"model": "cnn", "width": 4, "lr": 0.1, "epochs": 2, "batch_size": 64}

_DTYPES = {str: "string", int: "Int64", float: "float64", bool: "boolean"}


def write_config(folder: Path, name: str = "mine", **changes: Any) -> Path:
    """Write a configuration as ``tuner show --config`` prints one."""
    path = folder / f"{name}.yaml"
    path.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in {**CONFIG, **changes}.items()))
    return path


def write_finished_search(
    results: Path,
    scores: Sequence[float | None] = (0.7, 0.9),
    *,
    name: str = "demo",
    trainable: str = "cifar",
    data: dict[str, Any] | None = None,
    **changes: Any,
) -> Path:
    """Write a search of the built-in trainable whose trial n has lr 0.1 + n, seed n and the score n; None diverged."""
    config = {**CONFIG, **changes}
    info = SearchInfo(name, "val_accuracy", Goal.MAXIMIZE, {key: _DTYPES[type(value)] for key, value in config.items()})
    settings = {
        "name": name,
        "trainable": trainable,
        "data": {"dataset": "digits", "validation": 300, "split_seed": 0, "train_images": None, **(data or {})},
        "metric": {"name": info.metric, "goal": str(info.goal)},
        "resources": {"cpus_per_trial": 1},
        "retries": 3,
        "trial_timeout": None,
    }
    record = {"fingerprint": prepare("digits").fingerprint}
    folder = results / name
    folder.mkdir(parents=True)
    described = {"version": 1, **info.to_json(), "settings": settings, "data": record, "versions": {}}
    (folder / "search.json").write_text(json.dumps(described))
    events = [Open(at=NOON, slots=1, trials=len(scores))]
    for n, score in enumerate(scores):
        events += [
            Ask(at=NOON, n=n, config={**config, "lr": 0.1 + n, "seed": n}, origin=Origin.RANDOM),
            Start(at=NOON, n=n, attempt=1, node="alpha", device="cpu"),
        ]
        if score is not None:
            measured = {"score": score, "metrics": {}, "seconds": 1.0, "memory_mb": 1.0, "checkpoint": None}
            events.append(Epoch(at=NOON, n=n, attempt=1, epoch=1, **measured))
        state, reason = (State.COMPLETED, "budget") if score is not None else (State.DIVERGED, "nan")
        events.append(End(at=NOON, n=n, attempt=1, state=state, stop_reason=reason))
    with open_log(folder) as log:
        log.append(*events, Close(at=NOON, reason="trials", seconds=1.0))
    write_results(folder, History(events), info, live=False, kept={})
    return folder


def train_mine(results: Path) -> Path:
    """Train the model ``mine`` on the digits into a results folder, and return that."""
    words = ["--config", str(write_config(results, epochs=4)), "--set", "dataset=digits", "--progress", "none"]
    assert main(["train", *words, "--results", str(results)]) == 0
    return results
