"""Every scheduler keeps the contract, and each stops what its rule says, at exact epochs."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.search.scheduler_contract import SchedulerContract, report, train
from tests.search.simulation import EPOCHS, scheduler_of, settings_of
from tuner.facts.records import Decision, Goal
from tuner.facts.rungs import Bracket, bracket_of, hyperband_brackets, is_exempt, rung_levels
from tuner.search.schedulers.registry import SCHEDULERS
from tuner.space.algorithms import SCHEDULERS as NAMES

GO, STOP = Decision.CONTINUE, Decision.STOP


class TestAsha(SchedulerContract):
    name = "asha"


class TestHyperband(SchedulerContract):
    name = "hyperband"


class TestMedian(SchedulerContract):
    name = "median"


class TestNone(SchedulerContract):
    name = "none"
    stops = False

    def test_nothing_is_stopped_before_the_grace_period_or_at_the_budget(self) -> None:
        scheduler = self.fresh()
        assert all(scheduler.judge(0, epoch, -1e9) is None for epoch in range(1, 30))


def test_the_registry_is_the_table_of_the_search_file() -> None:
    assert SCHEDULERS.keys() == NAMES.keys()


def judge(values: list[float], *, epoch: int = 1, goal: Goal = Goal.MAXIMIZE, factor: int = 3) -> list[Decision | None]:
    scheduler = scheduler_of("asha", goal, reduction_factor=factor, max_epochs=27)
    return [report(scheduler, n, epoch, value) for n, value in enumerate(values)]


def test_first_trial_at_a_rung_goes_on() -> None:
    assert judge([0.1]) == [GO]


def test_best_third_rounded_up_goes_on() -> None:
    # places after 1..7 values: 1 1 1 2 2 2 3
    assert judge([0.5, 0.4, 0.6, 0.55, 0.3, 0.56, 0.555]) == [GO, STOP, GO, GO, STOP, GO, GO]


def test_equal_values_go_on_together() -> None:
    assert judge([0.5, 0.5, 0.5]) == [GO, GO, GO]


def test_a_loss_is_judged_downwards() -> None:
    assert judge([1.0, 2.0, 0.5], goal=Goal.MINIMIZE) == [GO, STOP, GO]


def lengths(count: int, curve: Callable[[float, int], float], **changes: Any) -> list[int]:
    """Return how far trials came, one after the other, whose curves follow from numbers between 0 and 1."""
    scheduler, chance = scheduler_of("asha", **changes), random.Random(0)
    places = [chance.random() for _ in range(count)]
    return [train(scheduler, n, lambda epoch, x=x: curve(x, epoch)) for n, x in enumerate(places)]  # type: ignore[misc]


def steady(x: float, epoch: int) -> float:
    """The order is the same at every epoch."""
    return x + 0.01 * epoch


def reversed_at_the_end(x: float, epoch: int) -> float:
    """Who is ahead at the rungs ends last."""
    return x if epoch == EPOCHS else -x


def test_a_rung_stops_trials_once_it_is_seen_to_rank() -> None:
    found = lengths(40, steady, min_correlation=0.6)
    assert found[:2] == [EPOCHS] * 2
    assert found[10:].count(1) > 15


def test_a_rung_that_does_not_rank_stops_nothing() -> None:
    assert lengths(40, reversed_at_the_end, min_correlation=0.6) == [EPOCHS] * 40
    assert min(lengths(40, reversed_at_the_end)) == 1


def test_exempt_trials_end_the_trust_in_a_rung_that_does_not_rank() -> None:
    found = lengths(80, reversed_at_the_end, min_correlation=0.4, exempt=0.2)
    assert min(found[:20]) == 1
    assert found[40:] == [EPOCHS] * 40


def test_trials_that_a_rung_chose_do_not_speak_against_it() -> None:
    """Those that pass are nearly equals at the rung; what little differs there tells nothing of their end."""

    def alike_above(x: float, epoch: int) -> float:
        return x if x < 0.6 else 0.6 + 0.1 * (-x if epoch < EPOCHS else x)

    found = lengths(200, alike_above, min_correlation=0.4)
    assert found[100:].count(1) > 50


@pytest.mark.parametrize("epoch", [2, 4, 8, 10, 26, 27])
def test_epochs_between_rungs_are_not_judged(epoch: int) -> None:
    assert judge([0.9], epoch=epoch) == [None]


@pytest.mark.parametrize("epoch", [1, 3, 9])
def test_rungs_are_powers_of_the_factor(epoch: int) -> None:
    assert judge([0.9], epoch=epoch) == [GO]


@pytest.mark.parametrize(("factor", "power"), [(3, 5), (10, 3), (10, 6), (10, 9), (1000, 3), (2, 29)])
def test_rungs_are_exact_where_logarithms_are_not(factor: int, power: int) -> None:
    """log(10^6) / log(10) is 5.999..., by which a rung would be lost; a budget one epoch longer has one rung more."""
    every = tuple(factor**exponent for exponent in range(power))
    assert rung_levels(1, factor, factor**power) == every
    assert rung_levels(1, factor, factor**power + 1) == (*every, factor**power)
    assert rung_levels(7, factor, 7 * factor**power) == tuple(7 * level for level in every)


def test_brackets_are_those_of_the_paper() -> None:
    """Li et al. 2018, algorithm 1, with eta 3 and R 81: n = ceil(5 * 3^s / (s + 1)), r = 81 / 3^s."""
    assert hyperband_brackets(1, 3, 81) == (
        Bracket(81, (1, 3, 9, 27)),
        Bracket(34, (3, 9, 27)),
        Bracket(15, (9, 27)),
        Bracket(8, (27,)),
        Bracket(5, ()),
    )
    assert hyperband_brackets(3, 3, 27) == (Bracket(9, (3, 9)), Bracket(5, (9,)), Bracket(3, ()))
    assert hyperband_brackets(9, 3, 9) == (Bracket(1, ()),)


@pytest.mark.parametrize("args", [(1, 3, 81), (1, 2, 64), (3, 3, 27), (2, 4, 100)])
def test_each_bracket_has_its_share_of_any_trials_in_a_row(args: tuple[int, int, int]) -> None:
    brackets = hyperband_brackets(*args)
    whole = sum(bracket.trials for bracket in brackets)
    for first in (0, 1, 1000):
        counts: Counter[int] = Counter()
        for count, number in enumerate(range(first, first + 2000), start=1):
            counts[bracket_of(number, brackets)] += 1
            for index, bracket in enumerate(brackets):
                assert abs(counts[index] - count * bracket.trials / whole) < 3


def test_brackets_do_not_go_along_with_even_and_odd_numbers() -> None:
    """The n-th point of a Sobol' sequence lies in the lower or upper half by whether n is even."""
    brackets = hyperband_brackets(1, 2, 2)
    assert [bracket.trials for bracket in brackets] == [2, 2]
    even = Counter(bracket_of(number, brackets) for number in range(0, 400, 2))
    assert 80 <= even[0] <= 120


def test_a_trial_is_compared_within_its_bracket() -> None:
    scheduler = scheduler_of("hyperband", max_epochs=27)
    brackets = settings_of("hyperband", max_epochs=27).brackets
    by_bracket: dict[int, list[int]] = {index: [] for index in range(len(brackets))}
    for number in range(200):
        by_bracket[bracket_of(number, brackets)].append(number)
    first, second, *_, last = by_bracket.values()
    for number in first[:9]:
        report(scheduler, number, 3, 0.9)
    assert report(scheduler, first[9], 3, 0.1) is STOP
    assert report(scheduler, second[0], 1, 0.1) is None  # its first rung is the third epoch
    assert report(scheduler, second[0], 3, 0.1) is GO
    assert report(scheduler, second[1], 3, 0.05) is STOP
    assert [report(scheduler, last[0], epoch, -1.0) for epoch in range(1, 28)] == [None] * 27


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1, 0.5, 0.99])
def test_of_any_trials_in_a_row_the_share_is_exempt(share: float) -> None:
    for first in (0, 7, 10**6):
        count = 0
        for trials, number in enumerate(range(first, first + 2000), start=1):
            count += is_exempt(number, share)
            assert abs(count - share * trials) < 3


def test_every_bracket_has_its_share_of_exempt_trials() -> None:
    """So that the exempt ones are a fair sample whatever the scheduler."""
    brackets = hyperband_brackets(1, 3, 27)
    trials = Counter(bracket_of(number, brackets) for number in range(5000))
    exempt = Counter(bracket_of(number, brackets) for number in range(5000) if is_exempt(number, 0.1))
    assert all(0.08 < exempt[index] / trials[index] < 0.12 for index in range(len(brackets)))


def rising(offset: float, epoch: int) -> float:
    return offset + 0.1 * (1 - 0.5**epoch)


def test_median_stops_a_bad_curve_and_never_a_good_one() -> None:
    chance = random.Random(0)
    scheduler = scheduler_of("median", grace_period=3, max_epochs=20)
    for n in range(10):
        offset = 0.5 + 0.1 * chance.random()
        train(scheduler, n, lambda epoch, offset=offset: rising(offset, epoch), 20)  # type: ignore[misc]
    assert train(scheduler, 10, lambda epoch: rising(0.2, epoch), 20) == 3
    assert train(scheduler, 11, lambda epoch: rising(0.7, epoch), 20) == 20


def test_median_compares_the_best_so_far_with_running_averages() -> None:
    """Averages until epochs 1, 2, 3 of the completed: 1, 2, 3 and 3, 4, 5; the median is that between them."""
    scheduler = scheduler_of("median", max_epochs=5, n_startup_trials=2)
    train(scheduler, 0, lambda epoch: 2.0 * epoch - 1, 5)
    train(scheduler, 1, lambda epoch: 2.0 * epoch + 1, 5)
    assert report(scheduler, 2, 1, 2.0) is None  # equal
    assert report(scheduler, 2, 2, 3.5) is None
    assert report(scheduler, 3, 1, 1.9) is STOP
    assert report(scheduler, 4, 1, 9.0) is None
    assert report(scheduler, 4, 2, 0.0) is None  # what counts is its best, at the first epoch


def test_median_waits_for_trials_that_completed() -> None:
    scheduler = scheduler_of("median", n_startup_trials=5, n_min_trials=7)
    for n in range(6):
        assert train(scheduler, n, lambda epoch: 1.0) == 9
        assert report(scheduler, 100 + n, 1, 0.0) is None
    train(scheduler, 6, lambda epoch: 1.0)
    assert report(scheduler, 200, 1, 0.0) is STOP
    # None of these came further than the second epoch.
    short = scheduler_of("median", n_startup_trials=1)
    for n in range(9):
        train(short, n, lambda epoch: 1.0, epochs=2)
    assert report(short, 99, 3, 0.0) is None


def test_median_writes_down_stops_alone() -> None:
    scheduler = scheduler_of("median")
    decisions = {report(scheduler, n, epoch, 1.0 - 0.1 * n) for n in range(3) for epoch in range(1, 9)}
    assert decisions == {None}
