"""A leader that luck may have made one runs again on other seeds; whoever is not asked for it never notices."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.search import simulation
from tests.search.simulation import EPOCHS, Simulation, parameter, space_of
from tuner.facts.configs import config_hash
from tuner.facts.records import Decision, Goal, Origin, State
from tuner.journal.history import Trial
from tuner.journal.ranking import Ranking
from tuner.search.ledger import Ledger
from tuner.search.messages import Ended
from tuner.search.proposer import Proposer
from tuner.space.domains import Constant, Integer, Listed, Real
from tuner.space.space import Space

SPACE = space_of(
    parameter("optimizer", Constant("adamw")),
    parameter("lr", Real(0.0001, 1.0, log=True)),
    parameter("depth", Integer(1, 8)),
)

FINITE = space_of(
    parameter("optimizer", Constant("adamw")),
    parameter("depth", Constant(4)),
    parameter("lr", Listed(tuple(index / 12 for index in range(12)))),
)


def dangerous(config: Mapping[str, Any], epoch: int) -> float:
    """The larger the learning rate, the better, and the more often it diverges; which runs do, their seed decides."""
    lucky = random.Random(config["seed"]).random() > config["lr"]
    return 0.5 + 0.4 * config["lr"] if lucky or epoch < 2 else float("nan")


def search(folder: Path, replicates: int, space: Space = SPACE, **options: Any) -> Ledger:
    proposer = Proposer(
        space,
        algorithm=options.pop("algorithm", "tpe"),
        seed=0,
        goal=Goal.MAXIMIZE,
        points=options.pop("points", ()),
        replicates=replicates,
    )
    folder.mkdir(exist_ok=True)
    return Simulation(folder, proposer=proposer, scheduler="none", **options).run()


def runs_of(ledger: Ledger, trial: Trial) -> list[Trial]:
    same = config_hash(trial.ask.config)
    return [other for other in ledger.history.trials.values() if config_hash(other.ask.config) == same]


def leader(ledger: Ledger) -> Trial:
    best = Ranking(Goal.MAXIMIZE, ledger.history.trials.values()).best
    assert best is not None
    return ledger.history.trials[best.number]


def replicated(ledger: Ledger) -> list[Trial]:
    return [trial for trial in ledger.history.trials.values() if trial.ask.origin is Origin.REPLICATE]


def test_what_leads_by_luck_runs_again_and_leads_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "curve", dangerous)
    once = search(tmp_path / "once", 1, trials=60, slots=4, algorithm="random")
    again = search(tmp_path / "again", 4, trials=60, slots=4, algorithm="random")
    assert not replicated(once) and len(again.history.trials) == 60, "they are among the trials that are wanted"
    sets = [runs_of(again, trial) for trial in replicated(again)]
    assert any(State.DIVERGED in {trial.state for trial in runs} for runs in sets)
    for runs in sets:
        assert len({trial.ask.config["seed"] for trial in runs}) == len(runs) <= 4
    assert len(runs_of(again, leader(again))) == 4 and len(runs_of(once, leader(once))) == 1
    assert leader(again).ask.config["lr"] < leader(once).ask.config["lr"]


def test_where_nothing_diverges_nothing_runs_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "curve", lambda config, epoch: 0.5 + 0.4 * config["lr"])
    many, one = (search(tmp_path / str(runs), runs, trials=20) for runs in (5, 1))
    assert [trial.ask.config for trial in many.history.trials.values()] == [
        trial.ask.config for trial in one.history.trials.values()
    ]


def test_a_resumed_search_proposes_what_the_other_would_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "curve", dangerous)
    whole = search(tmp_path / "whole", 4, trials=40)
    search(tmp_path / "cut", 4, trials=25)
    cut = search(tmp_path / "cut", 4, trials=40)
    assert replicated(whole)
    configs = [[trial.ask.config for trial in found.history.trials.values()] for found in (whole, cut)]
    assert configs[0] == configs[1]


def test_points_come_before_and_all_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "curve", dangerous)
    points = [{"lr": lr, "depth": 3} for lr in (1.0, 0.5, 0.2, 0.1, 0.01)]
    ledger = search(tmp_path, 3, points=points, trials=12)
    first = [trial.ask for trial in ledger.history.trials.values()][:5]
    assert [ask.config["lr"] for ask in first] == [point["lr"] for point in points]
    assert {ask.origin for ask in first} == {Origin.POINT}
    assert replicated(ledger)


def test_a_finite_space_ends_when_its_leader_has_run_often_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulation, "curve", dangerous)
    ledger = search(tmp_path, 3, FINITE, algorithm="random", trials=50)
    assert ledger.exhausted
    assert len(replicated(ledger)) >= 1
    assert len(runs_of(ledger, leader(ledger))) == 3


def test_a_grid_is_each_configuration_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "curve", dangerous)
    assert len(search(tmp_path, 3, FINITE, algorithm="grid", trials=50).history.trials) == 12


def test_a_searched_seed_is_never_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulation, "curve", dangerous)
    space = space_of(*SPACE.parameters.values(), parameter("seed", Integer(0, 9)))
    assert not replicated(search(tmp_path, 5, space, trials=30))


def test_a_leader_whose_other_runs_fail_does_not_take_the_rest_of_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulation, "curve", dangerous)
    target = Proposer(SPACE, algorithm="random", seed=0, goal=Goal.MAXIMIZE, replicates=3)
    simulated = Simulation(tmp_path, proposer=target, scheduler="none", trials=60)
    origins = []
    while (assignment := simulated.ledger.next_assignment()) is not None:
        trial = simulated.ledger.history.trials[assignment.number]
        origins.append(trial.ask.origin)
        if trial.ask.origin is Origin.REPLICATE:
            simulated.ledger.end(assignment.number, Ended(State.FAILED, "lost", "killed"))
            continue
        for epoch in range(1, EPOCHS + 1):
            if simulated.step(assignment, epoch) is not Decision.CONTINUE:
                break
    simulated.log.__exit__(None, None, None)
    assert 2 <= origins.count(Origin.REPLICATE) < 20
