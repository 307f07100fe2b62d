"""A search with two metrics under a real Ray: sampled, stopped, ranked by the first, and its front listed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.study.searches import SPACE, TRAINABLE, assert_exactly_once, events_of, prepare, search
from tuner.facts.records import Decision, State
from tuner.facts.rungs import is_exempt
from tuner.journal.events import Rung

pytestmark = pytest.mark.slow

#: The larger x, the more it costs; accuracy is best at 0.3, so that no x above it is on the front.
COSTLY = TRAINABLE.replace('yield {"acc":', 'yield {"cost": 10 * config["x"], "acc":')
TWO = SPACE.replace(
    "metric: {name: acc, goal: maximize}",
    "metric: [{name: acc, goal: maximize}, {name: cost, goal: minimize}]",
).replace("grace_period: 3,", "grace_period: 3, exempt: 0.25,")


def tuner(folder: Path, *words: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "tuner", *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def test_two_metrics_from_the_file_to_the_front(tmp_path: Path) -> None:
    prepare(tmp_path, space=TWO, trainable=COSTLY)
    code, _, err = search(tmp_path, "--trials", "30")
    assert code == 0, err
    assert_exactly_once(tmp_path, 30)
    assert "score is acc, to maximize; also cost, to minimize" in err and "tuner leaderboard s --pareto" in err

    board = pd.read_parquet(tmp_path / "results/s/leaderboard.parquet")
    assert board["score"].dropna().equals(board["metric_acc"].dropna())
    completed = board.query("state == 'completed'")
    assert completed["rank"].tolist() == completed["score"].rank(ascending=False).tolist()
    assert completed["pareto_rank"].notna().all() and board.query("state == 'stopped'")["pareto_rank"].isna().all()

    trials = json.loads(tuner(tmp_path, "leaderboard", "--pareto", "--json"))["trials"]
    assert [item["number"] for item in trials] == completed.query("pareto_rank == 1")["number"].tolist()
    pairs = [(item["score"], item["metric_cost"]) for item in trials]
    assert pairs == sorted(pairs, reverse=True)  # who is less accurate costs less
    for row in completed.query("pareto_rank > 1").itertuples():
        assert any(score >= row.score and cost <= row.metric_cost for score, cost in pairs)
    shown = tuner(tmp_path, "leaderboard", "--pareto").splitlines()
    assert shown[0].split()[:6] == ["rank", "pareto_rank", "number", "state", "score", "metric_cost"]

    exempt = {number for number in range(30) if is_exempt(number, 0.25)}
    assert set(board.set_index("number").loc[sorted(exempt)]["state"]) == {State.COMPLETED}
    let_off = {rung.n for rung in events_of(tmp_path) if isinstance(rung, Rung) and rung.decision is Decision.EXEMPT}
    assert let_off and let_off <= exempt
    rungs = json.loads(tuner(tmp_path, "status", "--json"))["rungs"]
    assert [rung["epoch"] for rung in rungs] == [3]
    assert rungs[0]["exempt"]["trials"] == len(exempt) and rungs[0]["completed"]["trials"] == len(completed)

    # A resumed search is the same one, and another metric makes another.
    code, _, err = search(tmp_path, "--trials", "32", "--resume")
    assert code == 0, err
    assert_exactly_once(tmp_path, 32)
    code, _, err = search(tmp_path, "--trials", "33", "--resume", "--set", "metric={name: acc, goal: maximize}")
    assert code == 2 and "metric (" in err
