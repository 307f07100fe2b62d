"""Whether rungs rank: against scipy, and on logs whose answer is known."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import pytest
from scipy.stats import spearmanr

from tests.leaderboard.logs import NOON, trial
from tuner.facts.records import Decision, Goal, State
from tuner.facts.rungs import bracket_of, hyperband_brackets, is_exempt
from tuner.journal.events import Event, Open, Rung
from tuner.journal.history import History
from tuner.leaderboard.rung_correlation import FEWEST, RungCorrelation, rung_correlations


def judged(n: int, scores: Sequence[float], rungs: Sequence[int], state: State = State.COMPLETED) -> Iterator[Event]:
    """Yield a trial that went on at its rungs."""
    *events, end = trial(n, scores, state)
    yield from events
    for epoch in rungs:
        value = scores[epoch - 1]
        yield Rung(at=NOON + 100 * n + 99, n=n, attempt=1, epoch=epoch, value=value, decision=Decision.CONTINUE)
    yield end


def search(curves: Sequence[Sequence[float]], rungs: Sequence[int] = (1,)) -> History:
    events = (event for n, scores in enumerate(curves) for event in judged(n, scores, rungs))
    return History([Open(at=NOON, slots=1, trials=99), *events])


def only(history: History, goal: Goal = Goal.MAXIMIZE) -> RungCorrelation:
    (found,) = rung_correlations(history, goal)
    return found


@pytest.mark.parametrize("goal", Goal)
def test_it_is_spearmans_with_the_best_score_of_each_trial_ties_included(goal: Goal) -> None:
    chance = random.Random(3)
    curves = [[round(chance.random(), 1), chance.random(), chance.random()] for _ in range(40)]
    found = only(search(curves), goal).completed
    best = max if goal is Goal.MAXIMIZE else min
    expected = spearmanr([curve[0] for curve in curves], [best(curve) for curve in curves]).statistic
    assert found.trials == 40
    assert found.value == pytest.approx(expected)
    assert found.low is not None and found.high is not None
    assert found.low < found.value < found.high


def test_the_interval_holds_what_is_true_19_times_in_20() -> None:
    """Normal scores with a Pearson correlation of 0.6 have a rank correlation of 6 / pi * asin(0.3) = 0.582."""
    chance = random.Random(0)
    held = 0
    for _ in range(300):
        ends = [chance.gauss(0, 1) for _ in range(20)]
        found = only(search([[0.6 * end + 0.8 * chance.gauss(0, 1) - 99, end] for end in ends])).completed
        assert found.low is not None and found.high is not None
        held += found.low < 0.582 < found.high
    assert 0.91 * 300 <= held <= 0.99 * 300


def test_few_trials_say_nothing_and_neither_do_equal_ones() -> None:
    rising = [[0.1 * n, 0.2 * n] for n in range(FEWEST)]
    few = only(search(rising[1:])).completed
    assert (few.trials, few.value, few.low, few.high) == (FEWEST - 1, None, None, None)
    enough = only(search(rising)).completed
    assert enough.value == 1.0 and enough.low is not None and enough.low < 0.99 and enough.high == 1.0
    assert only(search([[0.5, 0.2 * n] for n in range(3, 15)])).completed.value is None


def test_those_that_did_not_complete_do_not_count() -> None:
    history = search([[0.1 * n, 0.2 * n] for n in range(12)])
    for state in (State.STOPPED, State.DIVERGED, State.FAILED):
        for event in judged(len(history.trials), [9.0, 0.0], [1], state):
            history.apply(event)
    first, _ = rung_correlations(history, Goal.MAXIMIZE)  # the stopped one was judged at its second epoch
    assert first == only(search([[0.1 * n, 0.2 * n] for n in range(12)]))


def test_every_rung_is_there_and_nothing_without_rungs() -> None:
    curves = [[0.1, 0.1 * n, 0.3] for n in range(12)]
    assert [found.epoch for found in rung_correlations(search(curves, (2, 1)), Goal.MAXIMIZE)] == [1, 2]
    assert rung_correlations(search(curves, ()), Goal.MAXIMIZE) == ()


def test_exempt_trials_are_looked_at_by_themselves() -> None:
    """Rungs rank the survivors well and all trials, of whom those that are exempt are a sample, badly."""
    curves = [[-0.01 * n, 0.01 * n] if is_exempt(n, 0.3) else [1 + 0.01 * n, 2 + 0.01 * n] for n in range(60)]
    (found,) = rung_correlations(search(curves), Goal.MAXIMIZE, 0.3)
    assert found.exempt is not None and found.exempt.trials == sum(is_exempt(n, 0.3) for n in range(60))
    assert found.exempt.value is not None and found.completed.value is not None
    assert found.exempt.value == found.known < 0 < found.completed.value
    (few,) = rung_correlations(search(curves[:12]), Goal.MAXIMIZE, 0.3)
    assert few.exempt is not None and few.exempt.value is None and few.known == few.completed.value


def test_hyperbands_bracket_without_rungs_is_among_those_that_no_rung_stops() -> None:
    """Its trials are never judged, and passed the epochs at which others are."""
    brackets = hyperband_brackets(1, 3, 3)
    assert [bracket.rungs for bracket in brackets] == [(1,), ()]
    events: list[Event] = [Open(at=NOON, slots=1, trials=99)]
    for n in range(60):
        whole = bracket_of(n, brackets) == 1
        curve = [-0.01 * n, 0.0, 0.01 * n] if whole else [1 + 0.01 * n, 0.0, 2 + 0.01 * n]
        events += judged(n, curve, [] if whole else [1])
    history = History(events)
    (found,) = rung_correlations(history, Goal.MAXIMIZE, 0, brackets)
    assert found.exempt is not None and found.exempt.trials == sum(bracket_of(n, brackets) for n in range(60))
    assert found.exempt.value == found.known == -1.0 and found.completed.trials == 60
    (more,) = rung_correlations(history, Goal.MAXIMIZE, 0.3, brackets)
    assert more.exempt is not None and found.exempt.trials < more.exempt.trials < 60
    assert only(history).exempt is None
