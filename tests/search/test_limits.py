"""What ends a search before all its trials are proposed; whichever comes first."""

from __future__ import annotations

from pathlib import Path

from tests.search.simulation import COMPLETED, EPOCHS, Simulation
from tuner.search.limits import LIMITS, reached
from tuner.space.searchfile import LIMIT_NAMES


def test_every_limit_of_the_search_file_is_one(tmp_path: Path) -> None:
    assert tuple(LIMITS) == LIMIT_NAMES
    simulation = Simulation(tmp_path, trials=20, gpus=1.0, algorithm="random", scheduler="none")
    standing = simulation.run().standing
    assert standing.expected_improvement is not None
    counted = {
        "time_budget": standing.seconds,
        "epoch_budget": standing.epochs,
        "gpu_hours": standing.gpu_hours,
        "min_improvement": standing.expected_improvement,
    }
    assert reached(dict.fromkeys(LIMITS), standing) is None
    for name, value in counted.items():
        assert value > 0
        short, ample = (0.9, 1.1) if name != "min_improvement" else (1.1, 0.9)
        assert reached({name: short * value}, standing) == name
        assert reached({name: ample * value}, standing) is None


def test_epochs_of_all_trials_and_drivers_count(tmp_path: Path) -> None:
    limits = {"epoch_budget": 40, "time_budget": 3600.0}
    first = Simulation(tmp_path, trials=3, limits=limits, scheduler="none").run()
    before = first.history.epochs
    assert before <= 3 * EPOCHS and first.limit is None
    second = Simulation(tmp_path, trials=99, limits=limits, scheduler="none").run()
    assert second.limit == "epoch_budget" and second.history.epochs == 40 > before
    assert second.next_assignment() is None and second.history.unfinished
    larger = Simulation(tmp_path, trials=6, limits={"epoch_budget": 400}, scheduler="none").run()
    assert larger.limit is None and not larger.history.unfinished


def test_gpus_count_for_as_long_as_trials_hold_them(tmp_path: Path) -> None:
    now = [1000.0]
    simulation = Simulation(tmp_path, trials=9, slots=2, gpus=0.5, limits={"gpu_hours": 1.0}, clock=lambda: now[0])
    ledger = simulation.ledger
    ledger.next_assignment()
    ledger.next_assignment()
    now[0] += 1800
    assert ledger.standing.gpu_hours == 0.5 and ledger.limit is None
    ledger.end(0, COMPLETED)
    now[0] += 3600
    assert ledger.limit == "gpu_hours" and ledger.next_assignment() is None
    ledger.close("gpu_hours")
    simulation.log.__exit__(None, None, None)
    now[0] += 9999
    again = Simulation(tmp_path, trials=9, gpus=1.0, limits={"gpu_hours": 1.5}, clock=lambda: now[0]).ledger
    assert again.standing.gpu_hours == 1.0
    assert again.next_assignment() is not None


def test_a_search_ends_once_little_improvement_is_expected(tmp_path: Path) -> None:
    least = {"min_improvement": 0.002}
    ledger = Simulation(tmp_path, trials=500, algorithm="random", scheduler="none", limits=least).run()
    count = len(ledger.history.trials)
    assert ledger.limit == "min_improvement" and 10 <= count < 100
    smaller = {"min_improvement": 0.0002}
    assert len(Simulation(tmp_path, trials=500, algorithm="random", limits=smaller).run().history.trials) > count
