"""The publisher of a driver that is not the only one any more."""

from __future__ import annotations

import threading
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.leaderboard.logs import trial
from tuner.facts.errors import ResultsHeldError
from tuner.facts.records import Goal, State
from tuner.journal.history import History
from tuner.leaderboard.info import SearchInfo
from tuner.study.publisher import KeptCheckpoints, Publisher


def test_a_driver_that_was_taken_over_touches_neither_leaderboard_nor_checkpoints(tmp_path: Path) -> None:
    def taken_over() -> None:
        raise ResultsHeldError("taken over")

    ledger: Any = SimpleNamespace(history=History(), lock=threading.Lock())
    kept = KeptCheckpoints(tmp_path / "checkpoints", keep=1, goal=Goal.MAXIMIZE)
    publisher = Publisher(tmp_path, SearchInfo("s", "acc", Goal.MAXIMIZE, {}), ledger, kept, confirm=taken_over)
    (tmp_path / "checkpoints/0/a1-e1").mkdir(parents=True)  # the other driver's
    for call in (publisher.finish, lambda: publisher.publish(live=True)):
        with pytest.raises(ResultsHeldError):
            call()
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoints"]
    assert (tmp_path / "checkpoints/0/a1-e1").is_dir()


def test_a_leader_that_was_lucky_takes_nobodys_checkpoint(tmp_path: Path) -> None:
    kept = KeptCheckpoints(tmp_path / "checkpoints", keep=2, goal=Goal.MAXIMIZE)
    lucky = [trial(number, [0.9], lr=0.5, seed=number) for number in (0, 2, 3)]
    others = [trial(1, [0.6]), trial(4, [0.5], lr=0.2)]
    diverged = trial(5, [], State.DIVERGED, lr=0.5, seed=5)
    left = []
    trials = History(chain(*lucky, *others, diverged)).trials
    for number in sorted(trials):
        (tmp_path / f"checkpoints/{number}/a1-e1").mkdir(parents=True)
        kept.ended(trials[number])
        kept.remove_dropped()
        left.append(sorted(kept.paths()))
    assert left == [[0], [0, 1], [0, 1], [0, 1], [0, 1], [1]], "one of each configuration"


def test_who_is_among_the_best_again_keeps_what_was_not_removed_yet(tmp_path: Path) -> None:
    kept = KeptCheckpoints(tmp_path / "checkpoints", keep=1, goal=Goal.MAXIMIZE)
    events = [*trial(0, [0.9], lr=0.5), *trial(1, [0.6]), *trial(2, [], State.DIVERGED, lr=0.5)]
    for number, ended in History(events).trials.items():
        (tmp_path / f"checkpoints/{number}/a1-e1").mkdir(parents=True)
        kept.ended(ended)
    kept.remove_dropped()
    assert sorted(kept.paths()) == [1]
