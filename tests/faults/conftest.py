"""What the tests of faults share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.audit import TRIALS
from tests.faults.simulated import run_in_this_process


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished search of the formula; copied before anything in it is changed."""
    place = tmp_path_factory.mktemp("searched")
    run_in_this_process(place, TRIALS)
    return place
