"""ASHA stops what does not pay, at exact rungs, and for a minimized metric as for a maximized one."""

from __future__ import annotations

import pytest

from tuner.facts.records import Decision, Goal
from tuner.journal.events import Rung
from tuner.search.schedulers import SCHEDULERS
from tuner.space.searchfile import Scheduler


def judge(values: list[float], *, epoch: int = 1, goal: Goal = Goal.MAXIMIZE, factor: int = 3) -> list[Decision | None]:
    scheduler = SCHEDULERS["asha"](Scheduler(type="asha", grace_period=1, reduction_factor=factor, max_epochs=27), goal)
    decisions = []
    for n, value in enumerate(values):
        decision = scheduler.judge(epoch, value)
        decisions.append(decision)
        if decision is not None:
            scheduler.observe(Rung(at=0.0, n=n, attempt=1, epoch=epoch, value=value, decision=decision))
    return decisions


GO, STOP = Decision.CONTINUE, Decision.STOP


def test_first_trial_at_a_rung_goes_on() -> None:
    assert judge([0.1]) == [GO]


def test_best_third_rounded_up_goes_on() -> None:
    # places after 1..7 values: 1 1 1 2 2 2 3
    assert judge([0.5, 0.4, 0.6, 0.55, 0.3, 0.56, 0.555]) == [GO, STOP, GO, GO, STOP, GO, GO]


def test_equal_values_go_on_together() -> None:
    assert judge([0.5, 0.5, 0.5]) == [GO, GO, GO]


def test_a_loss_is_judged_downwards() -> None:
    assert judge([1.0, 2.0, 0.5], goal=Goal.MINIMIZE) == [GO, STOP, GO]


@pytest.mark.parametrize("epoch", [2, 4, 8, 10, 26, 27])
def test_epochs_between_rungs_are_not_judged(epoch: int) -> None:
    assert judge([0.9], epoch=epoch) == [None]


@pytest.mark.parametrize("epoch", [1, 3, 9])
def test_rungs_are_powers_of_the_factor(epoch: int) -> None:
    assert judge([0.9], epoch=epoch) == [GO]


def test_none_never_stops() -> None:
    scheduler = SCHEDULERS["none"](Scheduler("none", None, 3, None), Goal.MAXIMIZE)
    assert all(scheduler.judge(epoch, -1e9) is None for epoch in range(1, 30))
