"""A search whose space changed: proposals from the new space, learned from what of the old lies in it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.search.simulation import COMPLETED, CONDITIONAL, EPOCHS, Simulation, parameter, space_of
from tuner.facts.records import Goal, Origin
from tuner.journal.events import Ask
from tuner.journal.history import History
from tuner.journal.log import read_events
from tuner.search.proposer import Proposer
from tuner.search.stages import Stage, Stages
from tuner.space.change import Change
from tuner.space.domains import Constant, Integer, Listed, Real

#: Narrower in lr and optimizer, wider in depth; warm is new.
CHANGED = space_of(
    parameter("optimizer", Constant("sgd")),
    parameter("lr", Real(0.05, 0.5, log=True)),
    parameter("momentum", Real(0.5, 0.99)),
    parameter("depth", Integer(1, 20)),
    parameter("warm", Listed((True, False))),
    parameter("epochs", Constant(EPOCHS)),
)
CHANGE = Change(defaults={"warm": False})


def proposer_of(stage: Stage, algorithm: str = "tpe") -> Proposer:
    return Proposer(
        stage.space,
        algorithm=algorithm,
        seed=0,
        goal=Goal.MAXIMIZE,
        points=stage.points,
        warm_points=stage.warm_points,
        begins=stage.begins,
    )


def stages(algorithm: str, first: int) -> Stages:
    of = partial(proposer_of, algorithm=algorithm)
    return Stages([Stage(0, CONDITIONAL, Change()), Stage(first, CHANGED, CHANGE)], of)


@pytest.mark.parametrize("algorithm", ["tpe", "random", "qmc"])
def test_each_proposal_is_a_function_of_the_log_and_the_spaces(tmp_path: Path, algorithm: str) -> None:
    Simulation(tmp_path, trials=15, algorithm=algorithm).run()
    second = Simulation(tmp_path, trials=25, slots=2, algorithm=algorithm, proposer=stages(algorithm, 15))
    second.ledger.respace(1, {})
    second.ledger.add({"depth": 19})
    second.run()
    events = read_events(tmp_path)
    for position, event in enumerate(events):
        if isinstance(event, Ask):
            fresh = stages(algorithm, 15)
            for before in events[:position]:
                fresh.observe(before)
            proposal = fresh.propose(event.n)
            assert {**proposal.config, "seed": event.config["seed"]} == event.config
    later = [trial.ask.config for n, trial in History(events).trials.items() if n >= 15]
    assert len(later) == 10
    assert all("warm" in config and 0.05 <= config["lr"] <= 0.5 for config in later)
    assert later[0]["depth"] == 19


def test_what_lies_in_the_new_space_is_told_and_nothing_else(tmp_path: Path) -> None:
    history = Simulation(tmp_path, trials=30, algorithm="random").run().history
    proposer = stages("tpe", 30)
    for event in read_events(tmp_path):
        proposer.observe(event)
    inside = {
        n
        for n, trial in history.trials.items()
        if trial.ask.config["optimizer"] == "sgd" and 0.05 <= trial.ask.config["lr"] <= 0.5
    }
    assert proposer.told == inside and 0 < len(inside) < 30


def test_a_stage_begins_with_its_own_points(tmp_path: Path) -> None:
    first = Simulation(tmp_path, trials=5, points=({"depth": 1}, {"depth": 2}, {"depth": 3}))
    first.ledger.add({"depth": 8})
    first.run()
    stage = Stage(5, CHANGED, CHANGE, ({"depth": 11}, {"depth": 12}), ({"depth": 13},), 4)
    second = Simulation(tmp_path, trials=9, proposer=Stages([Stage(0, CONDITIONAL, Change()), stage], proposer_of))
    second.ledger.respace(1, {})
    second.ledger.add({"depth": 19})
    trials = list(second.run().history.trials.values())[5:]
    assert [trial.ask.config["depth"] for trial in trials] == [19, 11, 12, 13]
    assert [trial.ask.origin for trial in trials] == [*[Origin.POINT] * 3, Origin.WARM_START]
    assert second.ledger.history.out_of_turn == 2


def test_a_configuration_that_waits_is_proposed_under_its_new_names(tmp_path: Path) -> None:
    first = Simulation(tmp_path, trials=2)
    first.ledger.add({"depth": 5})
    first.log.__exit__(None, None, None)
    renamed = {"depth": "layers"}
    later = Stage(0, space_of(parameter("layers", Integer(1, 8))), Change(renamed))
    second = Simulation(tmp_path, trials=2, proposer=Stages([Stage(0, CONDITIONAL, Change()), later], proposer_of))
    second.ledger.respace(1, renamed)
    for layers in (5, 6):  # one from before, and one that was given since
        second.ledger.add({"layers": 6})
        assignment = second.ledger.next_assignment()
        assert assignment is not None and assignment.config["layers"] == layers
        second.ledger.end(assignment.number, COMPLETED)


def test_a_renamed_parameter_is_renamed_in_all_trials_so_far_and_once(tmp_path: Path) -> None:
    Simulation(tmp_path, trials=3).run()
    for _ in range(2):
        simulation = Simulation(tmp_path, trials=3)
        simulation.ledger.respace(1, {"depth": "layers"})
        simulation.log.__exit__(None, None, None)
    events = read_events(tmp_path)
    assert sum(event.type == "respace" for event in events) == 1
    history = History(events)
    assert history.stage == 1
    for trial in history.trials.values():
        assert "layers" in trial.ask.config and "depth" not in trial.ask.config


def test_a_configuration_that_waits_and_does_not_lie_in_the_new_space_is_left_out(tmp_path: Path) -> None:
    first = Simulation(tmp_path, trials=2)
    for depth in (3, 1, 2):
        first.ledger.add({"depth": depth})
    first.log.__exit__(None, None, None)
    later = Stage(0, space_of(parameter("depth", Integer(1, 2))), Change())
    second = Simulation(tmp_path, trials=2, proposer=Stages([Stage(0, CONDITIONAL, Change()), later], proposer_of))
    second.ledger.respace(1, {}, [0])
    assert second.ledger.history.waiting == [{"depth": 1}, {"depth": 2}]
    for depth in (1, 2):
        assignment = second.ledger.next_assignment()
        assert assignment is not None and assignment.config["depth"] == depth
        second.ledger.end(assignment.number, COMPLETED)
    assert second.ledger.exhausted and second.ledger.history.out_of_turn == 2
