"""Drivers that meet, folders that move, signals: one driver at a time, and whatever ended can be resumed."""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.cluster.nodes import until
from tests.faults.audit import TRIALS, audit, prepare
from tests.faults.brake import advance, hold, release
from tests.faults.processes import until_gone
from tests.study import searches
from tests.study.searches import SearchProcess, assert_exactly_once, search
from tuner.journal.events import Ask, End
from tuner.journal.lock import is_held
from tuner.journal.log import read_events

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # also on a machine that does much else


def test_two_drivers_on_one_search(tmp_path: Path) -> None:
    prepare(tmp_path)
    hold(tmp_path)
    first = SearchProcess(tmp_path)
    advance(first, 3)
    code, out, err = search(tmp_path, "--restart")
    assert code == 5 and "held by a running search" in err and out == ""
    code, out, err = search(tmp_path, "--resume")
    assert code == 5 and "held by a running search" in err and out == ""
    release(tmp_path)
    code, _, err = first.wait()
    assert code == 0, err
    assert_exactly_once(tmp_path, 12)


def test_a_restart_beside_a_driver_that_is_starting(tmp_path: Path) -> None:
    """Whoever comes first has the folder; the other is refused, and no log holds two searches."""
    searches.prepare(tmp_path)
    code, _, err = search(tmp_path, "--trials", "2")
    assert code == 0, err
    first = SearchProcess(tmp_path, "--trials", "4", "--resume")
    second = SearchProcess(tmp_path, "--trials", "3", "--restart")
    codes = sorted([first.wait()[0], second.wait()[0]])
    assert codes in ([0, 5], [0, 2], [0, 0]), codes
    folders = sorted(path.name for path in (tmp_path / "results").iterdir())
    for name in folders:
        numbers = [event.n for event in read_events(tmp_path / "results" / name) if isinstance(event, Ask)]
        assert len(numbers) == len(set(numbers))
        ended = {event.n for event in read_events(tmp_path / "results" / name) if isinstance(event, End)}
        assert ended == set(numbers)


def test_a_moved_folder_resumes(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    prepare(old)
    hold(old)
    running = SearchProcess(old)
    advance(running, 12)
    running.kill()
    until_gone(old)
    release(old)
    shutil.copytree(old, new)
    shutil.rmtree(old)
    code, _, err = search(new, "--resume")
    assert code == 0, err
    assert_exactly_once(new, 12)


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    prepare(tmp_path)
    hold(tmp_path)
    for first, second in ((signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGTERM)):
        running = SearchProcess(tmp_path, "--resume")
        advance(running, 4)
        running.process.send_signal(first)
        running.process.send_signal(second)
        code, _, err = running.wait()
        assert code == 128 + first and "Traceback" not in err
    release(tmp_path)
    code, _, err = search(tmp_path, "--resume")
    assert code == 0, err
    assert audit(tmp_path, TRIALS).findings == ()


def test_a_signal_while_it_starts(tmp_path: Path) -> None:
    """Nothing is left behind, whichever moment it meets: before Ray, while Ray starts, when trials are about to."""
    prepare(tmp_path)
    hold(tmp_path)
    for moment in (lambda: time.sleep(0.5), lambda: until(lambda: is_held(tmp_path / "results/s"))):
        starting = SearchProcess(tmp_path, "--resume")
        moment()
        starting.process.send_signal(signal.SIGTERM)
        code, _, err = starting.wait()
        assert code in (143, -signal.SIGTERM), err
        assert "Traceback" not in err
    release(tmp_path)
    code, _, err = search(tmp_path, "--resume")
    assert code == 0, err
    assert_exactly_once(tmp_path, 12)
