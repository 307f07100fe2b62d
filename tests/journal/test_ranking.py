"""Who leads among completed trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tuner.facts.records import Goal, Origin, State
from tuner.journal.events import Ask, End, Epoch
from tuner.journal.history import Trial
from tuner.journal.ranking import Ranking


def trial(n: int, score: float | None, state: State = State.COMPLETED, **config: Any) -> Trial:
    made = Trial(Ask(at=0.0, n=n, config={"lr": 0.1, "seed": n, **config}, origin=Origin.RANDOM))
    if score is not None:
        made.epochs[1] = Epoch(
            at=0, n=n, attempt=1, epoch=1, score=score, metrics={}, seconds=0, memory_mb=None, checkpoint=None
        )
    made.end = End(at=0.0, n=n, attempt=1, state=state, stop_reason="test")
    return made


def numbers(ranking: Ranking, count: int | None = None) -> list[int]:
    return [place.number for place in ranking.first(count)]


@pytest.mark.parametrize(("goal", "order"), [(Goal.MAXIMIZE, [2, 0, 3, 1]), (Goal.MINIMIZE, [1, 0, 3, 2])])
def test_the_best_come_first_and_of_equals_the_earlier(goal: Goal, order: list[int]) -> None:
    ranking = Ranking(goal, [trial(3, 0.5, lr=3), trial(0, 0.5, lr=0), trial(1, 0.1, lr=1), trial(2, 0.9, lr=2)])
    ranking.ended(trial(4, 0.99, State.STOPPED, lr=4))
    assert numbers(ranking) == order
    assert numbers(ranking, 2) == order[:2]
    assert ranking.best is not None and ranking.best.number == order[0]
    assert ranking.best.score == (0.9 if goal is Goal.MAXIMIZE else 0.1)


def test_nothing_completed_is_no_lead() -> None:
    assert Ranking(Goal.MAXIMIZE, [trial(0, None, State.DIVERGED), trial(1, None)]).best is None


@pytest.mark.parametrize("late", [False, True])
def test_a_configuration_that_also_diverged_comes_after_all_others(late: bool) -> None:
    lucky: Mapping[str, Any] = {"lr": 0.9}
    diverged, runs = trial(5, 0.2, State.DIVERGED, **lucky), [trial(0, 0.9, **lucky), trial(1, 0.8, **lucky)]
    others = [trial(2, 0.5), trial(3, 0.4)]
    ranking = Ranking(Goal.MAXIMIZE, [*runs, *others, diverged] if late else [diverged, *runs, *others])
    assert numbers(ranking) == [2, 3, 0, 1]
    assert [place.shaky for place in ranking.first()] == [False, False, True, True]
