"""What the tests of final trainings share: a finished search on digits, and configurations that train in no time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from tests.leaderboard.logs import NOON
from tuner.cli.main import main
from tuner.datasets.prepare import prepare
from tuner.datasets.test_split import load_test
from tuner.facts.records import Goal, Origin, State
from tuner.journal.events import Ask, Close, End, Epoch, Open, Start
from tuner.journal.history import History
from tuner.journal.log import open_log
from tuner.leaderboard.info import SearchInfo
from tuner.leaderboard.write import write_results
from tuner.study.final import FinalTraining
from tuner.study.model_folder import ModelFolder
from tuner.study.recipe import Recipe, from_file

CONFIG = {"model": "cnn", "width": 4, "lr": 0.1, "epochs": 2, "batch_size": 64}

CPU = torch.device("cpu")
PREPARED = prepare("digits")

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


def train_mine(folder: Path, results: str | None = None, *more: str) -> Path:
    """Train the model ``mine`` on the digits, into a folder if nothing else is said, and return the folder."""
    words = ["--config", str(write_config(folder, epochs=4)), "--set", "dataset=digits", "--progress", "none", *more]
    assert main(["train", *words, "--results", results or str(folder)]) == 0
    return folder


class Heard:
    """Notes what it is told; raises after some epochs if asked to."""

    def __init__(self, interrupt_after: int | None = None) -> None:
        self.seeds: list[int] = []
        self.epochs: list[int] = []
        self._left = interrupt_after

    def seed_began(self, seed: int) -> None:
        self.seeds.append(seed)

    def epoch_ended(self, report: Mapping[str, float]) -> None:
        self.epochs.append(int(report["epoch"]))
        if self._left is not None and len(self.epochs) == self._left:
            raise KeyboardInterrupt

    def seed_ended(self, result: Mapping[str, Any]) -> None:
        pass


def recipe(tmp_path: Path, *overrides: str, results: Path | None = None, **changes: Any) -> Recipe:
    """Return a training on digits that takes no time; results lie beside its file where nothing is said."""
    file = write_config(tmp_path, **changes)
    return from_file(file, results or tmp_path, overrides=["dataset=digits", "validation=300", *overrides])


def training(recipe: Recipe, heard: Heard | None = None, **changes: Any) -> FinalTraining:
    """Return a training that is ready to run."""
    settings = {
        "recipe": recipe,
        "prepared": PREPARED,
        "weights": None,
        "folder": ModelFolder(recipe.folder),
        "device": CPU,
        "threads": 1,
        "read_test": lambda: load_test(PREPARED),
        "listener": heard or Heard(),
        **changes,
    }
    return FinalTraining(**settings)


def run(recipe: Recipe, seeds: int = 1, heard: Heard | None = None, **changes: Any) -> ModelFolder:
    """Train as the only writer; return where the model lies."""
    work = training(recipe, heard, **changes)
    with work.folder.writer():
        work.run(seeds)
    return work.folder


def without_times(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return metrics without what a clock measured."""
    seeds = json.loads(json.dumps(metrics["seeds"]))
    for seed in seeds:
        for epoch in seed["epochs"]:
            del epoch["images_per_second"], epoch["epoch_seconds"]
    return {**metrics, "seeds": seeds}
