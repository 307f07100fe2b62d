"""Requests to a running search."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.nodes import until
from tests.search.simulation import CONDITIONAL, Simulation
from tuner.journal.events import Add
from tuner.journal.history import History
from tuner.journal.log import read_events
from tuner.space.change import Change
from tuner.study import requests
from tuner.study.request_files import Kind, ask, lasting
from tuner.study.requests import Requests


def test_a_request_is_taken_away_and_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "_LOOK_SECONDS", 0.02)
    said: list[str] = []
    ask(tmp_path, Kind.STOP)  # of an earlier driver
    (tmp_path / "requests" / "note.txt").touch()
    with Requests(tmp_path, said.append) as heard:
        assert not heard.stop and list((tmp_path / "requests").iterdir()) == [tmp_path / "requests" / "note.txt"]
        ask(tmp_path, Kind.STOP)
        until(lambda: heard.stop, 30)
        until(lambda: len(list((tmp_path / "requests").iterdir())) == 1, 30)
    assert len(said) == 1 and "note.txt, which is no request" in said[0]


def test_what_is_asked_while_a_driver_starts_is_asked_of_it(tmp_path: Path) -> None:
    requests = Requests(tmp_path, lambda text: None)  # and then the lock, Ray, the data
    ask(tmp_path, Kind.STOP)
    with requests as heard:
        assert heard.stop


def test_a_pause_is_no_stop_and_belongs_to_the_driver_that_runs(tmp_path: Path) -> None:
    ask(tmp_path, Kind.PAUSE)
    with Requests(tmp_path, lambda text: None) as heard:
        assert not heard.pause
    second = Requests(tmp_path, lambda text: None)
    ask(tmp_path, Kind.PAUSE)
    with second as heard:
        assert heard.pause and not heard.stop
    assert not list((tmp_path / "requests").iterdir())


def test_no_requests_and_no_folder(tmp_path: Path) -> None:
    with Requests(tmp_path, lambda text: None) as heard:
        assert not heard.stop
    assert not (tmp_path / "requests").exists()


def take_in(folder: Path, said: list[str], *changes: Change) -> History:
    """Let a driver take in what was asked for before it began, and return what its log says then."""
    with Requests(folder, said.append) as requests:
        simulation = Simulation(folder, trials=4)
        requests.hand_to(simulation.ledger, CONDITIONAL, changes)
        simulation.log.__exit__(None, None, None)
        return simulation.ledger.history


def test_what_is_asked_of_the_ledger_is_taken_in_by_the_next_driver_in_order_and_once(tmp_path: Path) -> None:
    said: list[str] = []
    names = [
        ask(tmp_path, Kind.ADD, config={"depth": 3}),
        ask(tmp_path, Kind.EXTEND, trials=1_000),
        ask(tmp_path, Kind.ADD, config={"depth": 4}),
    ]
    contents = {name: (tmp_path / "requests" / name).read_bytes() for name in names}
    assert sorted(lasting(tmp_path)) == sorted(names)
    history = take_in(tmp_path, said)
    assert (history.wanted, len(history.waiting)) == (1_004, 2)
    assert not lasting(tmp_path)
    assert "1,000 more trials, as 'tuner extend' asked: 1,004 in all" in said
    added = [event.config for event in read_events(tmp_path) if isinstance(event, Add)]
    assert added == [{"depth": 3}, {"depth": 4}]
    for name, content in contents.items():  # the driver was killed before it took the files away
        (tmp_path / "requests" / name).write_bytes(content)
    again = take_in(tmp_path, said)
    assert (again.wanted, len(again.waiting)) == (1_004, 2) and not lasting(tmp_path)


def test_a_configuration_that_the_space_does_not_hold_is_refused_by_the_driver_too(tmp_path: Path) -> None:
    said: list[str] = []
    ask(tmp_path, Kind.ADD, config={"depth": 99})
    history = take_in(tmp_path, said)
    assert (history.wanted, history.waiting) == (4, []) and not lasting(tmp_path)
    assert said == ["ignored a configuration that 'tuner add' gave: 'depth' is 99, which is not in integer 1 to 8"]


def test_a_configuration_that_was_given_before_the_space_changed_has_its_new_names(tmp_path: Path) -> None:
    said: list[str] = []
    ask(tmp_path, Kind.ADD, config={"blocks": 3})
    history = take_in(tmp_path, said, Change({"blocks": "layers"}), Change({"layers": "depth"}))
    assert history.waiting == [{"depth": 3}]
    added = [event.config for event in read_events(tmp_path) if isinstance(event, Add)]
    assert added == [{"depth": 3}]


@pytest.mark.parametrize(
    "content",
    [
        f'{{"at": 1{"0" * 400}, "trials": 1}}',
        "",
        "[]",
        "{}",
        '{"at": 1}',
        '{"at": 1, "trials": -1}',
        '{"at": 1, "trials": true}',
        '{"at": "x", "trials": 1}',
    ],
)
def test_what_was_written_by_hand_and_says_nothing_stays_and_is_named(tmp_path: Path, content: str) -> None:
    said: list[str] = []
    (tmp_path / "requests").mkdir()
    (tmp_path / "requests" / "extend-1.json").write_text(content)
    with Requests(tmp_path, said.append) as requests:
        assert not requests.stop
    assert said == [f"ignored {tmp_path}/requests/extend-1.json, which is no request"]
