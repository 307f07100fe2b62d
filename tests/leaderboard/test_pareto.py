"""Pareto fronts against the definition, and in the leaderboard of a search with several metrics."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from tests.leaderboard.logs import INFO, NOON, trial, write_search
from tuner.facts.records import Goal, Metric, State
from tuner.journal.events import Open
from tuner.journal.history import History
from tuner.journal.objectives import objectives_of
from tuner.journal.pareto import pareto_ranks
from tuner.leaderboard.info import SearchInfo
from tuner.leaderboard.row import row_of
from tuner.leaderboard.schema import column_of

UP, DOWN = Goal.MAXIMIZE, Goal.MINIMIZE

SEVERAL = replace(INFO, further=(Metric("train_seconds", DOWN), Metric("size", DOWN)))

#: Score and size of trials that completed; each takes 10 seconds.
SIZES = [(0.9, 9.0), (0.8, 4.0), (0.7, 5.0), (0.7, 1.0), (0.6, 6.0), (0.9, 9.0)]


def by_definition(points: list[tuple[float, ...]], goals: list[Goal]) -> list[int]:
    def dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
        pairs = list(zip(goals, one, other, strict=True))
        no_worse = not any(goal.better(b, a) for goal, a, b in pairs)
        return no_worse and any(goal.better(a, b) for goal, a, b in pairs)

    ranks = [0] * len(points)
    while left := [index for index, rank in enumerate(ranks) if rank == 0]:
        rank = max(ranks) + 1
        for index in [i for i in left if not any(dominates(points[j], points[i]) for j in left)]:
            ranks[index] = rank
    return ranks


@pytest.mark.parametrize("goals", [[UP], [UP, DOWN], [DOWN, DOWN], [UP, DOWN, UP], [DOWN] * 4])
def test_fronts_are_those_of_the_definition_equals_and_ties_included(goals: list[Goal]) -> None:
    chance = random.Random(len(goals))
    for count in (0, 1, 2, 40, 60):
        for draw in (lambda: float(chance.randrange(-3, 3)), chance.random):
            points = [tuple(draw() for _ in goals) for _ in range(count)]
            assert pareto_ranks(points, goals).tolist() == by_definition(points, goals)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    events = [event for n, (score, size) in enumerate(SIZES) for event in trial(n, [score], metrics={"size": size})]
    stopped = trial(6, [0.99], State.STOPPED, reason="asha", metrics={"size": 0.0})
    return write_search(tmp_path / "demo", [Open(at=NOON, slots=1, trials=7), *events, *stopped], SEVERAL)


def test_completed_trials_have_their_front_and_rank_goes_by_the_first_metric(folder: Path) -> None:
    frame = pd.read_parquet(folder / "leaderboard.parquet").set_index("number")
    assert frame["pareto_rank"].dtype == "Int64"
    assert frame["pareto_rank"].drop(6).sort_index().tolist() == [1, 1, 2, 1, 3, 1]
    assert frame["pareto_rank"].isna()[6]
    assert frame["rank"].drop(6).to_dict() == {0: 1, 5: 2, 1: 3, 2: 4, 3: 5, 4: 6}
    assert frame["metric_size"].loc[0] == 9.0


def test_fronts_of_what_also_diverged_come_after_all_others(tmp_path: Path) -> None:
    sizes = ((0.9, 1.0, 0.5), (0.5, 3.0, 0.1), (0.4, 4.0, 0.2))
    runs = [
        event for n, (score, size, lr) in enumerate(sizes) for event in trial(n, [score], metrics={"size": size}, lr=lr)
    ]
    events = [Open(at=NOON, slots=1, trials=4), *runs, *trial(3, [], State.DIVERGED, lr=0.5)]
    frame = pd.read_parquet(write_search(tmp_path / "demo", events, SEVERAL) / "leaderboard.parquet")
    assert frame.set_index("number")["pareto_rank"].dropna().to_dict() == {1: 1, 2: 2, 0: 3}


def test_the_file_says_which_metrics_there_are(folder: Path) -> None:
    description = json.loads((folder / "search.json").read_text())
    assert description["metric"] == {"name": "val_accuracy", "goal": "maximize"}
    assert [item["name"] for item in description["metrics"]] == ["val_accuracy", "train_seconds", "size"]
    assert SearchInfo.from_json(description) == SEVERAL


def test_a_search_whose_trials_have_reported_nothing_yet(tmp_path: Path) -> None:
    frame = pd.read_parquet(
        write_search(tmp_path / "demo", [Open(at=NOON, slots=1, trials=1), *trial(0, [], None)], SEVERAL)
        / "leaderboard.parquet"
    )
    assert frame["pareto_rank"].isna().all() and "metric_size" in frame


def test_a_sampler_hears_what_the_leaderboard_shows() -> None:
    events = [Open(at=NOON, slots=1, trials=1), *trial(0, [0.5, 0.8, 0.7], metrics={"size": 3.0})]
    history = History(events)
    names = ("train_seconds", "images_per_second", "peak_memory_mb", "parameter_count", "val_loss", "size")
    metrics = (Metric("val_accuracy", UP), *(Metric(name, DOWN) for name in names))
    row = row_of(history.trials[0], history, INFO, live=True)
    assert objectives_of(history.trials[0], metrics) == tuple(row[column_of(metric.name)] for metric in metrics)
