"""A search that begins with another one's best, under a real Ray, and goes on after that one is gone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.study.searches import SearchProcess, assert_exactly_once, history, prepare, search
from tuner.facts.records import Origin
from tuner.leaderboard.read import read_leaderboard

pytestmark = pytest.mark.slow


def test_a_search_begins_with_anothers_best_and_goes_on_after_that_one_is_gone(tmp_path: Path) -> None:
    prepare(tmp_path)
    code, _, err = search(tmp_path, "--name", "proxy", "--set", "max_epochs=3", "--set", "grace_period=1")
    assert code == 0, err
    proxy = read_leaderboard(tmp_path / "results/proxy")
    best = proxy[proxy["rank"].notna()].sort_values("rank")["x"].head(5).tolist()

    running = SearchProcess(tmp_path, "--warm-start", "proxy", epoch_seconds=0.3)
    running.until_epochs(6)
    running.kill()
    shutil.rmtree(tmp_path / "results/proxy")
    code, _, err = search(tmp_path, "--warm-start", "proxy", "--resume")
    assert code == 0, err
    assert_exactly_once(tmp_path, 12)
    trials = history(tmp_path).trials
    warm = [n for n in sorted(trials) if trials[n].ask.origin is Origin.WARM_START]
    assert warm == list(range(0, 2 * len(best), 2))
    assert [trials[n].ask.config["x"] for n in warm] == best
