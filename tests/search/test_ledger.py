"""The search's truth: exactly-once accounting through kills, the same proposals from the same log, honest endings."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest

from tests.search.simulation import CONDITIONAL, Killed, Simulation, curve
from tuner.facts.errors import StorageError
from tuner.facts.records import Decision, Goal, Origin, State
from tuner.journal.events import Ask, End, Epoch
from tuner.journal.history import History
from tuner.journal.log import read_events
from tuner.search.ledger import Ledger
from tuner.search.messages import Ended, Message, Report
from tuner.search.proposer import Proposer


def asks(folder: Path) -> list[tuple[int, dict[str, object]]]:
    return [(event.n, event.config) for event in read_events(folder) if isinstance(event, Ask)]


def test_every_trial_ends_once(tmp_path: Path) -> None:
    ledger = Simulation(tmp_path, trials=30, slots=4).run()
    states = [trial.state for trial in ledger.history.trials.values()]
    assert len(states) == 30
    assert all(state.finished for state in states)
    assert {State.COMPLETED, State.STOPPED} <= set(states)


def test_same_seed_same_search(tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        (tmp_path / name).mkdir()
        Simulation(tmp_path / name, seed=seed).run()
    assert asks(tmp_path / "a") == asks(tmp_path / "b")
    assert asks(tmp_path / "a") != asks(tmp_path / "c")


@pytest.mark.parametrize("seed", range(5))
def test_killed_at_any_message_and_resumed_it_is_the_same_search(tmp_path: Path, seed: int) -> None:
    """With one slot, kills change nothing: same proposals, same ends, and no epoch is counted twice."""
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    straight.mkdir()
    broken.mkdir()
    Simulation(straight, seed=seed).run()
    chance = random.Random(seed)
    kills = 0
    while True:
        try:
            Simulation(broken, seed=seed).run(die_after=chance.randrange(1, 25))
            break
        except Killed:
            kills += 1
            if chance.random() < 0.5:  # the last line was torn by the kill
                with (broken / "events.jsonl").open("ab") as log:
                    log.write(b'{"v":1,"type":"epo')
    assert kills >= 3
    assert asks(broken) == asks(straight)
    a, b = History(read_events(straight)), History(read_events(broken))
    assert {n: trial.state for n, trial in a.trials.items()} == {n: trial.state for n, trial in b.trials.items()}
    assert {n: sorted(trial.epochs) for n, trial in a.trials.items()} == {
        n: sorted(trial.epochs) for n, trial in b.trials.items()
    }
    reports = [(event.n, event.epoch) for event in read_events(broken) if isinstance(event, Epoch)]
    assert len(reports) == len(set(reports))
    ends = [event.n for event in read_events(broken) if isinstance(event, End)]
    assert len(ends) == len(set(ends)) == 30


@pytest.mark.parametrize("slots", [1, 4, 16])
@pytest.mark.parametrize("algorithm", ["tpe", "random"])
def test_each_proposal_is_a_function_of_the_log_before_it(tmp_path: Path, slots: int, algorithm: str) -> None:
    Simulation(tmp_path, trials=40, slots=slots, algorithm=algorithm).run()
    events = read_events(tmp_path)
    for position, event in enumerate(events):
        if not isinstance(event, Ask) or event.n % 3:
            continue
        fresh = Proposer(CONDITIONAL, algorithm=algorithm, seed=0, goal=Goal.MAXIMIZE)
        for before in events[:position]:
            fresh.observe(before)
        proposal = fresh.propose(event.n)
        assert {**proposal.config, "seed": event.config["seed"]} == event.config
        assert proposal.origin is event.origin


def test_tpe_learns(tmp_path: Path) -> None:
    (tmp_path / "tpe").mkdir()
    (tmp_path / "random").mkdir()
    late = {}
    for algorithm in ("tpe", "random"):
        ledger = Simulation(tmp_path / algorithm, trials=60, algorithm=algorithm, scheduler="none").run()
        values = [curve(trial.ask.config, 9) for trial in ledger.history.trials.values() if trial.number >= 20]
        late[algorithm] = sorted(value for value in values if not math.isnan(value))
    assert late["tpe"][len(late["tpe"]) // 2] > late["random"][len(late["random"]) // 2]


def test_origin_says_who_proposed(tmp_path: Path) -> None:
    points = ({"optimizer": "sgd", "lr": 0.1}, {"depth": 4})
    ledger = Simulation(tmp_path, trials=30, points=points).run()
    origins = [trial.ask.origin for trial in ledger.history.trials.values()]
    assert origins[:2] == [Origin.POINT, Origin.POINT]
    assert origins[2] is Origin.RANDOM
    assert origins[-1] is Origin.SAMPLER
    first, second = (ledger.history.trials[n].ask.config for n in (0, 1))
    assert (first["optimizer"], first["lr"]) == ("sgd", 0.1)
    assert second["depth"] == 4


def test_trials_have_seeds_of_their_own(tmp_path: Path) -> None:
    ledger = Simulation(tmp_path, trials=20).run()
    seeds = [trial.ask.config["seed"] for trial in ledger.history.trials.values()]
    assert len(set(seeds)) == 20


def test_lost_processes_are_retried_and_then_failed(tmp_path: Path) -> None:
    ledger = Simulation(tmp_path, trials=1, retries=2).ledger
    first = ledger.next_assignment()
    assert first is not None and ledger.retries_left(0) == 2
    second = ledger.retry(0, "its process was lost")
    third = ledger.retry(0, "its process was lost")
    assert second is not None and third is not None
    assert (first.attempt, second.attempt, third.attempt) == (1, 2, 3)
    assert ledger.retry(0, "its process was lost") is None
    assert ledger.history.trials[0].state is State.FAILED


def test_a_resume_is_no_lost_process(tmp_path: Path) -> None:
    for _ in range(6):
        simulation = Simulation(tmp_path, trials=1, retries=1)
        assert simulation.ledger.next_assignment() is not None
        simulation.log.__exit__(None, None, None)
    assert Simulation(tmp_path, trials=1, retries=1).ledger.retries_left(0) == 1


def report(ledger: Ledger, attempt: int, epoch: int, score: float = 0.5) -> Decision:
    return ledger.receive(Message(0, attempt, None, Report(epoch, score, {}, 0.0, None, None)))


def test_messages_of_an_older_attempt_are_dropped(tmp_path: Path) -> None:
    ledger = Simulation(tmp_path, trials=1).ledger
    ledger.next_assignment()
    ledger.retry(0, "its process was lost")
    assert report(ledger, attempt=1, epoch=1) is Decision.STOP
    assert not ledger.history.trials[0].epochs
    assert report(ledger, attempt=2, epoch=1) is Decision.CONTINUE
    assert set(ledger.history.trials[0].epochs) == {1}


def test_an_epoch_is_counted_once_and_the_first_end_wins(tmp_path: Path) -> None:
    ledger = Simulation(tmp_path, trials=1).ledger
    ledger.next_assignment()
    report(ledger, 1, 1, score=0.5)
    report(ledger, 1, 1, score=0.9)
    assert ledger.history.trials[0].epochs[1].score == 0.5
    ledger.end(0, Ended(State.FAILED, "timeout"))
    ledger.end(0, Ended(State.COMPLETED, "budget"))
    assert ledger.history.trials[0].state is State.FAILED


def test_a_stop_whose_end_was_lost_is_ended_on_resume(tmp_path: Path) -> None:
    Simulation(tmp_path, trials=12, slots=4).run()
    lines = (tmp_path / "events.jsonl").read_bytes().splitlines(keepends=True)
    stop = next(index for index, line in enumerate(lines) if b'"decision":"stop"' in line)
    (tmp_path / "events.jsonl").write_bytes(b"".join(lines[: stop + 1]))
    number = read_events(tmp_path)[stop].n
    ledger = Simulation(tmp_path, trials=12, slots=4).ledger
    assert ledger.history.trials[number].state is State.STOPPED


def test_five_first_failures_with_one_error_end_the_hope(tmp_path: Path) -> None:
    ledger = Simulation(tmp_path, trials=9).ledger
    for n in range(5):
        assert ledger.hopeless is None
        ledger.next_assignment()
        ledger.end(n, Ended(State.FAILED, "error", "KeyError: 'lr'"))
    assert ledger.hopeless == "KeyError: 'lr'"


@pytest.mark.parametrize("other", [Ended(State.FAILED, "error", "another"), Ended(State.DIVERGED, "nan")])
def test_other_endings_keep_hope(tmp_path: Path, other: Ended) -> None:
    ledger = Simulation(tmp_path, trials=9).ledger
    for n in range(6):
        ledger.next_assignment()
        ledger.end(n, other if n == 2 else Ended(State.FAILED, "error", "KeyError: 'lr'"))
    assert ledger.hopeless is None


def test_time_budget_counts_over_resumes(tmp_path: Path) -> None:
    now = [0.0]
    first = Simulation(tmp_path, trials=99, limits={"time_budget": 100.0}, timer=lambda: now[0])
    now[0] = 60.0
    assert first.ledger.limit is None
    first.ledger.close("SIGINT")
    first.log.__exit__(None, None, None)
    now[0] = 5000.0
    second = Simulation(tmp_path, trials=99, limits={"time_budget": 100.0}, timer=lambda: now[0])
    now[0] += 39.0
    assert second.ledger.next_assignment() is not None
    now[0] += 2.0
    assert second.ledger.limit == "time_budget"
    assert second.ledger.next_assignment() is None


def test_time_of_a_killed_driver_counts(tmp_path: Path) -> None:
    now = [1000.0]
    first = Simulation(tmp_path, trials=99, limits={"time_budget": 100.0}, clock=lambda: now[0], timer=lambda: now[0])
    now[0] += 60.0
    assert first.ledger.next_assignment() is not None
    first.log.__exit__(None, None, None)  # no Close
    now[0] += 5000.0
    second = Simulation(tmp_path, trials=99, limits={"time_budget": 100.0}, clock=lambda: now[0], timer=lambda: now[0])
    assert second.ledger.active_seconds == 60.0
    now[0] += 41.0
    assert second.ledger.limit == "time_budget"


def test_a_search_that_worked_before_is_not_given_up(tmp_path: Path) -> None:
    Simulation(tmp_path, trials=10).run()
    ledger = Simulation(tmp_path, trials=20).ledger
    for n in range(10, 16):
        ledger.next_assignment()
        ledger.end(n, Ended(State.FAILED, "error", "KeyError: 'lr'"))
    assert ledger.hopeless is None


def test_in_a_pause_each_trial_ends_its_epoch_and_goes_on_there_later(tmp_path: Path) -> None:
    first = Simulation(tmp_path, trials=3, slots=2, scheduler="none")
    ledger = first.ledger
    for _ in range(2):
        ledger.next_assignment()
    assert report(ledger, attempt=1, epoch=1) is Decision.CONTINUE
    ledger.pausing = True
    assert ledger.next_assignment() is None
    assert not ledger.finished
    assert report(ledger, attempt=1, epoch=2) is Decision.STOP
    assert ledger.receive(Message(1, 1, None, Report(1, 0.5, {}, 0.0, None, None))) is Decision.STOP
    assert ledger.finished
    assert {n: trial.state for n, trial in ledger.history.trials.items()} == {0: State.RUNNING, 1: State.RUNNING}
    first.log.__exit__(None, None, None)
    again = Simulation(tmp_path, trials=3, slots=2, scheduler="none").ledger.next_assignment()
    assert again is not None and (again.number, again.after_epoch) == (0, 2)


def test_a_worker_that_cannot_write_ends_the_search(tmp_path: Path) -> None:
    ledger = Simulation(tmp_path, trials=2).ledger
    ledger.next_assignment()
    with pytest.raises(StorageError, match="No space left"):
        ledger.receive(Message(0, 1, storage_error="a checkpoint cannot be written: No space left on device"))
    assert ledger.failure is not None


def test_listeners_hear_only_what_is_on_disk(tmp_path: Path) -> None:
    seen: list[int] = []

    def listener(event: object) -> None:
        on_disk = read_events(tmp_path)
        assert event in on_disk
        seen.append(len(on_disk))

    Simulation(tmp_path, trials=5, listeners=[listener]).run()
    assert len(seen) > 10
