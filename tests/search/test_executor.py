"""What the executor makes of errors that Ray Tune meets: only those pass that the log lacks nothing for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.search.simulation import Simulation
from tuner.facts.errors import StorageError
from tuner.facts.records import Decision
from tuner.search.executor import _left_to
from tuner.search.ledger import Ledger
from tuner.search.messages import Message


@pytest.fixture
def simulation(tmp_path: Path) -> Iterator[Simulation]:
    made = Simulation(tmp_path, trials=1, scheduler="none")
    yield made
    made.log.__exit__(None, None, None)


def lose_the_current_folder(ledger: Ledger) -> None:
    """Fail as Ray Tune does when it looks for its own state in a current folder that somebody removed."""
    with _left_to(ledger):
        raise FileNotFoundError(2, "No such file or directory")


def test_an_error_after_all_trials_have_ended_passes(simulation: Simulation) -> None:
    simulation.run()
    assert simulation.ledger.finished
    lose_the_current_folder(simulation.ledger)


def test_an_error_while_a_trial_runs_does_not_pass(simulation: Simulation) -> None:
    assignment = simulation.ledger.next_assignment()
    assert assignment is not None and simulation.step(assignment, 1) is Decision.CONTINUE
    with pytest.raises(FileNotFoundError):
        lose_the_current_folder(simulation.ledger)


def test_an_error_before_the_first_trial_does_not_pass(simulation: Simulation) -> None:
    with pytest.raises(FileNotFoundError):
        lose_the_current_folder(simulation.ledger)


def test_an_error_that_the_ledger_has_noted_passes_and_is_its_own_to_tell(simulation: Simulation) -> None:
    """Ray Tune wraps what a trial's storage said, so the ledger's note is what the command ends with."""
    assignment = simulation.ledger.next_assignment()
    assert assignment is not None
    with _left_to(simulation.ledger):
        simulation.ledger.receive(Message(assignment.number, assignment.attempt, storage_error="the disk is full"))
    assert isinstance(simulation.ledger.failure, StorageError)
    lose_the_current_folder(simulation.ledger)
