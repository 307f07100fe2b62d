"""Paired t tests, Holm's correction and their intervals, against scipy.stats, Holm's own rule and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tuner.facts.records import Goal
from tuner.study.paired import Verdict, differences, mean_interval


def test_one_comparison_is_students_paired_test() -> None:
    first, second = np.random.default_rng(0).normal([[0.5], [0.4]], 0.1, (2, 6))
    expected = stats.ttest_rel(first, second)
    (found,) = differences([list(first - second)], Goal.MAXIMIZE)
    assert found.pairs == 6 and found.confidence == 0.95
    assert found.mean == pytest.approx((first - second).mean())
    assert found.p_value == found.p_adjusted == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))


def with_p_value(p: float, seeds: int = 5) -> list[float]:
    """Return differences whose paired t test has exactly this p value."""
    spread = np.arange(seeds) - (seeds - 1) / 2
    t = stats.t.isf(p / 2, seeds - 1)
    return list(spread / spread.std(ddof=1) + t / np.sqrt(seeds))


def test_holm_on_a_known_example() -> None:
    """Of 0.01, 0.04, 0.03 and 0.005 the adjusted values are 0.03, 0.06, 0.06 and 0.02 (R's p.adjust says the same)."""
    found = differences([with_p_value(p) for p in (0.01, 0.04, 0.03, 0.005)], Goal.MAXIMIZE)
    assert [item.p_adjusted for item in found] == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert [item.verdict for item in found] == ["better", "not shown", "not shown", "better"]
    assert [item.confidence for item in found] == pytest.approx([1 - 0.05 / 3, 0.975, 0.975, 1 - 0.05 / 4])


def test_an_interval_lies_on_one_side_of_zero_exactly_where_something_is_shown() -> None:
    generator = np.random.default_rng(1)
    shown = 0
    for _ in range(300):
        family = generator.normal(generator.uniform(-1, 1, (4, 1)), 0.5, (4, 5))
        for item in differences([list(row) for row in family], Goal.MINIMIZE):
            assert item.low is not None and item.high is not None and item.p_adjusted is not None
            assert (item.low > 0 or item.high < 0) == (item.p_adjusted < 0.05) == (item.verdict != "not shown")
            if item.verdict != Verdict.NOT_SHOWN:
                shown += 1
                assert (item.verdict == Verdict.BETTER) == (item.high < 0), "less is better here"
    assert 100 < shown < 1100, "both happen"


def test_chance_alone_shows_anything_in_a_twentieth_of_families_at_most() -> None:
    generator = np.random.default_rng(2)
    families = generator.normal(0, 1, (2000, 3, 5))
    wrong = sum(
        any(item.verdict != Verdict.NOT_SHOWN for item in differences([list(row) for row in family], Goal.MAXIMIZE))
        for family in families
    )
    assert 60 < wrong < 130, "5 % of 2000 families, give or take three standard deviations"


@pytest.mark.parametrize("values", [[], [0.1], [0.1, 0.1, 0.1], [0.0, 0.0], [0.3 - 0.2, 0.2 - 0.1]])
def test_without_a_spread_nothing_is_shown_and_the_others_are_judged_as_strictly(values: list[float]) -> None:
    unknown, known = differences([values, with_p_value(0.03)], Goal.MAXIMIZE)
    assert (unknown.pairs, unknown.low, unknown.p_value, unknown.verdict) == (len(values), None, None, "not shown")
    assert known.p_adjusted == pytest.approx(0.06)


def test_the_interval_of_a_mean() -> None:
    values = [0.9, 0.92, 0.95]
    expected = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    assert mean_interval(values) == pytest.approx(expected)
