"""At-least-once messages become exactly-once accounting."""

from __future__ import annotations

from typing import Any

import pytest

from tuner.facts.records import Decision, Goal, Origin, State
from tuner.journal.events import Ask, Close, End, Epoch, Open, Retry, Rung, Start
from tuner.journal.history import History


def ask(n: int = 0, **config: Any) -> Ask:
    return Ask(at=1.0, n=n, config=config, origin=Origin.RANDOM)


def epoch(number: int, score: float, attempt: int = 1, n: int = 0) -> Epoch:
    return Epoch(
        at=2.0,
        n=n,
        attempt=attempt,
        epoch=number,
        score=score,
        metrics={},
        seconds=1.0,
        memory_mb=None,
        checkpoint=None,
    )


def end(state: State, attempt: int = 1) -> End:
    return End(at=3.0, n=0, attempt=attempt, state=state, stop_reason="x")


def retry(attempt: int, *, lost: bool = True) -> Retry:
    return Retry(at=2.5, n=0, attempt=attempt, reason="lost", lost=lost)


def rung(number: int, decision: Decision, attempt: int = 1) -> Rung:
    return Rung(at=2.0, n=0, attempt=attempt, epoch=number, value=0.5, decision=decision)


def test_the_first_end_of_a_trial_wins() -> None:
    history = History([ask(), end(State.COMPLETED), end(State.FAILED)])
    assert history.trials[0].state is State.COMPLETED
    assert not history.apply(epoch(1, 0.5))
    assert not history.apply(retry(2))
    assert history.unfinished == []


def test_messages_of_older_attempts_are_dropped() -> None:
    history = History([ask(), epoch(1, 0.1), retry(2)])
    for late in (epoch(2, 0.9), rung(1, Decision.STOP), end(State.FAILED)):
        assert not history.apply(late)
    assert history.trials[0].last_epoch == 1
    assert history.apply(epoch(2, 0.2, attempt=2))
    assert history.trials[0].epochs[2].score == 0.2


def test_an_epoch_is_neither_reported_nor_judged_twice() -> None:
    history = History([ask(), epoch(1, 0.1), rung(1, Decision.CONTINUE), retry(2)])
    assert not history.apply(epoch(1, 0.7, attempt=2))
    assert not history.apply(rung(1, Decision.STOP, attempt=2))
    assert history.trials[0].epochs[1].score == 0.1
    assert history.trials[0].stop_decision is None


def test_a_number_is_proposed_once() -> None:
    history = History([ask(lr=0.1)])
    assert not history.apply(ask(lr=0.2))
    assert history.trials[0].ask.config == {"lr": 0.1}


def test_a_message_about_a_trial_that_was_never_proposed_is_dropped() -> None:
    assert not History().apply(epoch(1, 0.5))


def test_only_lost_processes_count_against_the_retries() -> None:
    history = History([ask(), retry(2, lost=False), retry(3), retry(3)])
    assert (history.trials[0].attempt, history.trials[0].lost) == (3, 1)


@pytest.mark.parametrize(("goal", "best"), [(Goal.MAXIMIZE, 2), (Goal.MINIMIZE, 1)])
def test_the_best_epoch_is_the_first_of_equals(goal: Goal, best: int) -> None:
    history = History([ask(), epoch(1, 0.1), epoch(3, 0.9), epoch(2, 0.9)])
    found = history.trials[0].best(goal)
    assert found is not None
    assert found.epoch == best


def test_time_adds_up_over_drivers_also_those_that_were_killed() -> None:
    history = History()
    history.apply(Open(at=100.0, slots=1, trials=3))
    history.apply(Ask(at=130.0, n=0, config={}, origin=Origin.RANDOM))
    history.apply(Open(at=1000.0, slots=1, trials=3))  # the first one was killed at 130 or later
    assert history.active_seconds == 30
    history.apply(Close(at=1020.0, reason="SIGINT", seconds=20.0))
    history.apply(Open(at=2000.0, slots=1, trials=3))
    assert history.active_seconds == 50
    assert history.closed is None


def handed(n: int, at: float) -> Ask:
    return Ask(at=at, n=n, config={}, origin=Origin.RANDOM)


def test_gpus_are_counted_for_as_long_as_trials_hold_them() -> None:
    history = History([Open(at=100.0, slots=2, trials=3, gpus=0.5), handed(0, 100.0), handed(1, 110.0)])
    assert history.gpu_seconds(120.0) == 15
    history.apply(Retry(at=120.0, n=0, attempt=2, reason="lost", lost=True))
    history.apply(End(at=130.0, n=0, attempt=2, state=State.COMPLETED, stop_reason="budget"))
    assert history.gpu_seconds(150.0) == 15 + 20
    history.apply(Open(at=1000.0, slots=2, trials=3, gpus=1.0))  # the driver before was killed at 130 or later
    assert history.gpu_seconds(2000.0) == 15 + 10
    history.apply(Retry(at=1010.0, n=1, attempt=2, reason="resumed", lost=False))
    history.apply(Close(at=1030.0, reason="gpu_hours", seconds=30.0))
    assert history.gpu_seconds(2000.0) == 25 + 20


def test_machines_are_numbered_as_they_appear() -> None:
    history = History([ask(0), ask(1), ask(2)])
    for n, node in ((1, "beta"), (0, "alpha"), (2, "beta")):
        history.apply(Start(at=1.0, n=n, attempt=1, node=node, device="cpu"))
    assert history.nodes == {"beta": 1, "alpha": 2}


def test_a_snapshot_stays_as_it_was() -> None:
    history = History([Open(at=0.0, slots=1, trials=1), ask(), epoch(1, 0.1)])
    history.apply(Start(at=1.0, n=0, attempt=1, node="alpha", device="cpu"))
    copy = history.snapshot()
    for event in (epoch(2, 0.2), ask(1), end(State.COMPLETED)):
        history.apply(event)
    assert list(copy.trials) == [0]
    assert list(copy.trials[0].epochs) == [1]
    assert copy.trials[0].end is None
    assert copy.nodes == {"alpha": 1}
