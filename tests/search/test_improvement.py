"""The estimate by which a search sees that little is left to gain."""

from __future__ import annotations

import random
from itertools import permutations
from statistics import fmean

import pytest

from tuner.facts.records import Goal, Origin, State
from tuner.journal.events import Ask, End, Epoch
from tuner.journal.history import History
from tuner.search.improvement import MIN_COMPLETED, Improvement


def ended(scores: list[float | None], state: State = State.STOPPED) -> History:
    """Return a log of completed trials; None is one that ended in another state."""
    history = History()
    for n, score in enumerate(scores):
        history.apply(Ask(at=0.0, n=n, config={}, origin=Origin.RANDOM))
        report = {"metrics": {}, "seconds": 0.0, "memory_mb": None, "checkpoint": None}
        history.apply(Epoch(at=0.0, n=n, attempt=1, epoch=1, score=0.0 if score is None else score, **report))
        reached = state if score is None else State.COMPLETED
        history.apply(End(at=0.0, n=n, attempt=1, state=reached, stop_reason=""))
    return history


def expected(scores: list[float | None], goal: Goal = Goal.MAXIMIZE, state: State = State.STOPPED) -> float:
    value = Improvement.of(ended(scores, state), goal).expected
    assert value is not None
    return value


def test_it_is_the_improvement_of_the_middle_trial_over_all_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuner.search.improvement.MIN_COMPLETED", 3)
    for scores in ([0.1, 0.5, 0.6, 0.75, 0.8], [0.3, 0.1, 0.9, 0.9, 0.2, 0.4]):
        middle = (len(scores) + 1) // 2
        gains = [max(0.0, order[middle - 1] - max(order[: middle - 1])) for order in permutations(scores)]
        assert expected(list(scores)) == pytest.approx(fmean(gains))
        assert expected([-score for score in scores], Goal.MINIMIZE) == pytest.approx(fmean(gains))


@pytest.mark.parametrize("draw", [lambda chance: 1 - chance.betavariate(1, 3), lambda chance: chance.gauss(0, 1)])
def test_it_is_no_smaller_than_the_truth_on_average(draw: object) -> None:
    chance = random.Random(0)
    for count in (10, 40):
        found, true = [], []
        for _ in range(100):
            scores = [draw(chance) for _ in range(count)]
            found.append(expected(list(scores)))
            true.append(fmean(max(0.0, draw(chance) - max(scores)) for _ in range(100)))
        assert fmean(true) < fmean(found) < 10 * fmean(true)


def test_it_says_nothing_of_few_trials() -> None:
    assert Improvement.of(ended([0.5] * (MIN_COMPLETED - 1) + [None] * 50), Goal.MAXIMIZE).expected is None
    assert expected([0.5] * MIN_COMPLETED) == 0.0


def test_trials_that_were_stopped_are_worse_ones_and_failures_are_none() -> None:
    scores: list[float | None] = [0.5 + 0.01 * place for place in range(20)]
    worse = expected([*scores, *[0.0] * 40])
    assert expected([*scores, *[None] * 40]) == pytest.approx(worse, rel=1e-3)
    assert worse < expected(scores)
    assert expected([*scores, *[None] * 40], state=State.FAILED) == expected(scores)
