"""Configurations of earlier searches run among the first trials, and the log's own scores alone are learned from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.search.simulation import FINITE, Killed, Simulation
from tuner.facts.records import Goal, Origin
from tuner.journal.events import Ask
from tuner.search.proposer import Proposer

WARM = ({"optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "depth": 4}, {"optimizer": "adamw", "lr": 0.001}, {"depth": 5})
POINT = {"depth": 1}


def search_in(folder: Path, **options: Any) -> Simulation:
    """Return a search of 14 trials in a folder of its own."""
    folder.mkdir(exist_ok=True)
    return Simulation(folder, **{"trials": 14, "warm_points": WARM, **options})


def asks(simulation: Simulation) -> list[tuple[dict[str, Any], Origin]]:
    """Return configuration and origin of the trials in their order."""
    trials = simulation.ledger.history.trials
    return [(trials[n].ask.config, trials[n].ask.origin) for n in range(len(trials))]


@pytest.mark.parametrize("algorithm", ["tpe", "random", "qmc", "cmaes"])
def test_they_run_after_the_points_and_every_other_trial_is_the_samplers_own(tmp_path: Path, algorithm: str) -> None:
    simulation = Simulation(tmp_path, trials=12, algorithm=algorithm, points=(POINT,), warm_points=WARM)
    simulation.run()
    origins = [origin for _, origin in asks(simulation)]
    warm = Origin.WARM_START
    assert origins[0] is Origin.POINT
    assert [place for place, origin in enumerate(origins) if origin is warm] == [1, 3, 5]
    for place, point in zip((1, 3, 5), WARM, strict=True):
        assert point.items() <= asks(simulation)[place][0].items()


def test_a_search_that_was_killed_proposes_what_an_undisturbed_one_does(tmp_path: Path) -> None:
    whole = search_in(tmp_path / "whole")
    whole.run()
    for die_after in (1, 5, 9):
        with pytest.raises(Killed):
            search_in(tmp_path / "killed").run(die_after=die_after)
    again = search_in(tmp_path / "killed")
    again.run()
    assert asks(again) == asks(whole)


def test_an_earlier_search_of_the_same_seed_is_not_drawn_once_more(tmp_path: Path) -> None:
    earlier, later = search_in(tmp_path / "earlier", warm_points=()), search_in(tmp_path / "later")
    earlier.run()
    later.run()
    known = [config["lr"] for config, _ in asks(earlier)]
    assert not [config for config, origin in asks(later) if origin is Origin.RANDOM and config["lr"] in known]


def test_what_was_tried_already_is_replaced_in_a_finite_space() -> None:
    full = {"optimizer": "adamw", "lr": 0.001, "depth": 2}
    target = Proposer(FINITE, algorithm="tpe", seed=0, goal=Goal.MAXIMIZE, points=(full,), warm_points=(full,))
    first = target.propose(0)
    target.observe(Ask(at=0.0, n=0, config={**first.config, "seed": 1}, origin=first.origin))
    second = target.propose(1)
    assert second.config != first.config
    assert second.origin is Origin.RANDOM
