"""A clock that jumps by hours changes no duration, no budget and no deadline."""

from __future__ import annotations

import os
import time
from pathlib import Path
from textwrap import dedent

import pandas as pd
import pytest

from tests.faults.audit import TRIALS, audit, prepare
from tests.faults.brake import advance, hold, release
from tests.search.simulation import Simulation
from tests.study.searches import SearchProcess, search
from tuner.journal.events import Ask, Open
from tuner.journal.log import read_events

HOUR = 3600.0


def test_the_log_of_a_driver_has_one_steady_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, jump = time.time, [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + jump[0])
    first = Simulation(tmp_path, trials=99, limits={"time_budget": HOUR}, slots=99)
    for jump[0] in (5 * HOUR, -3 * HOUR, 2 * HOUR):
        assert first.ledger.next_assignment() is not None
    first.log.__exit__(None, None, None)  # killed
    times = [event.at for event in read_events(tmp_path) if isinstance(event, Open | Ask)]
    assert times == sorted(times) and times[-1] - times[0] < HOUR and abs(times[0] - real()) < HOUR
    jump[0] = -9 * HOUR
    second = Simulation(tmp_path, trials=99, limits={"time_budget": HOUR}, slots=99)
    assert 0 <= second.ledger.active_seconds < HOUR and second.ledger.limit is None


#: Read by every Python process that is started with its folder on the path; the offset is what lies in a file.
_JUMPING = """
    import pathlib
    import time

    _file, _real = pathlib.Path(__file__).with_name("offset"), time.time
    time.time = lambda: _real() + float(_file.read_text())
    """


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_search_whose_clock_jumps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forwards and back while it runs, and back again before it is resumed."""
    prepare(tmp_path)
    clock, offset = tmp_path / "clock", tmp_path / "clock/offset"
    clock.mkdir()
    (clock / "sitecustomize.py").write_text(dedent(_JUMPING))
    offset.write_text("0")

    def jump(hours: float) -> None:
        (clock / "new").write_text(str(hours * HOUR))
        (clock / "new").replace(offset)  # processes read it all the time, and never half of it

    path = [str(clock), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    limits = ("--time-budget", "1h", "--set", "trial_timeout=1000")
    hold(tmp_path)
    running = SearchProcess(tmp_path, *limits)
    for hours in (5, -3, 4):
        advance(running, 4)
        jump(hours)
    advance(running, 4)
    running.kill()
    before = read_events(tmp_path / "results/s")
    jump(-9)
    release(tmp_path)
    code, _, err = search(tmp_path, "--resume", *limits)
    assert code == 0 and "time budget" not in err, err
    assert audit(tmp_path, TRIALS, earlier=before).findings == ()
    board = pd.read_parquet(tmp_path / "results/s/leaderboard.parquet")
    uninterrupted = board[board["attempts"] == 1]
    assert len(uninterrupted) and uninterrupted["overhead_seconds"].max() < HOUR
    assert board["train_seconds"].max() < HOUR
