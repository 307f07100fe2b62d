"""A search that is extended and given configurations while it goes on, and what of that a later driver knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.search.simulation import COMPLETED, CONDITIONAL, FINITE, Simulation
from tuner.facts.records import Goal, Origin
from tuner.journal.events import Ask
from tuner.journal.history import History
from tuner.journal.log import read_events
from tuner.search.ledger import Ledger
from tuner.search.proposer import Proposer

POINT = {"optimizer": "sgd", "lr": 0.1, "momentum": 0.9}


def asked(ledger: Ledger) -> dict[str, Any]:
    """Return the next configuration."""
    assignment = ledger.next_assignment()
    assert assignment is not None
    return ledger.history.trials[assignment.number].ask.config


def test_an_extended_search_wants_no_fewer_trials_ever_after(tmp_path: Path) -> None:
    first = Simulation(tmp_path, trials=6)
    first.ledger.extend(4)
    assert first.ledger.history.wanted == 10
    assert len(first.run().history.trials) == 10
    assert Simulation(tmp_path, trials=6).run().history.wanted == 10
    assert len(Simulation(tmp_path, trials=12).run().history.trials) == 12
    assert Simulation(tmp_path, trials=6).ledger.history.wanted == 10  # 12 was one driver's wish


def test_a_request_is_taken_in_once_though_its_file_outlived_the_driver(tmp_path: Path) -> None:
    first = Simulation(tmp_path, trials=3)
    first.ledger.extend(5, "extend-a.json")
    first.ledger.add(POINT, "add-b.json")
    first.log.__exit__(None, None, None)  # killed before it took the files away
    again = Simulation(tmp_path, trials=3).ledger
    again.extend(5, "extend-a.json")
    again.add(POINT, "add-b.json")
    assert again.history.wanted == 8
    assert again.history.waiting == [POINT]


def test_a_given_configuration_comes_next_and_takes_one_of_the_trials(tmp_path: Path) -> None:
    ledger = Simulation(tmp_path, trials=5, points=({"depth": 1}, {"depth": 2})).ledger
    assert asked(ledger)["depth"] == 1
    ledger.add(POINT)
    ledger.end(0, COMPLETED)
    config = asked(ledger)
    assert POINT.items() <= config.items() and "depth" in config
    assert ledger.history.trials[1].ask.origin is Origin.POINT
    ledger.end(1, COMPLETED)
    assert asked(ledger)["depth"] == 2  # the file's points go on where they were
    assert ledger.history.wanted == 5


def test_a_configuration_given_to_a_finished_search_makes_it_one_trial_longer(tmp_path: Path) -> None:
    Simulation(tmp_path, trials=4).run()
    simulation = Simulation(tmp_path, trials=4)
    simulation.ledger.add(POINT)
    simulation.ledger.add({"depth": 8})
    trials = simulation.run().history.trials
    assert len(trials) == 6
    assert POINT.items() <= trials[4].ask.config.items() and trials[5].ask.config["depth"] == 8


@pytest.mark.parametrize("algorithm", ["grid", "random"])
def test_in_a_finite_space_it_is_a_new_one_if_there_is_one(tmp_path: Path, algorithm: str) -> None:
    simulation = Simulation(tmp_path, trials=99, space=FINITE, algorithm=algorithm, scheduler="none")
    simulation.ledger.add({"depth": 2, "optimizer": "adamw"})
    assert len(simulation.run().history.trials) == FINITE.size()
    once_more = Simulation(tmp_path, trials=99, space=FINITE, algorithm=algorithm, scheduler="none")
    assert once_more.ledger.exhausted
    given = {"depth": 2, "optimizer": "adamw", "lr": 0.01}
    once_more.ledger.add(given)
    assert given.items() <= asked(once_more.ledger).items()
    assert once_more.ledger.exhausted


@pytest.mark.parametrize("algorithm", ["tpe", "random", "qmc", "cmaes"])
def test_each_proposal_is_a_function_of_the_log_before_it(tmp_path: Path, algorithm: str) -> None:
    points = ({"depth": 7}, {"depth": 8})
    first = Simulation(tmp_path, trials=12, algorithm=algorithm, points=points)
    first.ledger.add(POINT)
    first.run()
    second = Simulation(tmp_path, trials=12, algorithm=algorithm, points=points)
    second.ledger.extend(8)
    second.ledger.add({"optimizer": "adamw"})
    second.run()
    events = read_events(tmp_path)
    for position, event in enumerate(events):
        if isinstance(event, Ask):
            fresh = Proposer(CONDITIONAL, algorithm=algorithm, seed=0, goal=Goal.MAXIMIZE, points=points)
            for before in events[:position]:
                fresh.observe(before)
            proposal = fresh.propose(event.n)
            assert {**proposal.config, "seed": event.config["seed"]} == event.config
            assert proposal.origin is event.origin
    assert len(History(events).trials) == 20


def test_a_search_interrupted_after_an_addition_proposes_what_it_would_have(tmp_path: Path) -> None:
    """The addition is in the log before the ask that uses it, so that a kill between the two changes nothing."""
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    for folder in (straight, broken):
        folder.mkdir()
        Simulation(folder, trials=3).run()
        simulation = Simulation(folder, trials=5)
        simulation.ledger.add(POINT)
        if folder == broken:
            simulation.log.__exit__(None, None, None)
            simulation = Simulation(folder, trials=5)
        simulation.run()
    first, second = History(read_events(straight)), History(read_events(broken))
    assert [trial.ask.config for trial in first.trials.values()] == [
        trial.ask.config for trial in second.trials.values()
    ]
