"""What a search takes over from earlier ones: as much of their best configurations as its space holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.search.simulation import CONDITIONAL, EPOCHS, parameter, space_of
from tests.space.searchfiles import read
from tuner.facts.errors import SearchFileError
from tuner.space.domains import Constant, Integer, Listed, Real
from tuner.space.expressions import parse
from tuner.space.warm_start import CONFIGURATIONS, chosen, fitting

LINE = space_of(parameter("x", Real(0.0, 1.0)))


def line(*values: float) -> list[dict[str, float]]:
    return [{"x": value} for value in values]


@pytest.mark.parametrize(
    ("config", "point"),
    [
        ({"optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "depth": 3, "epochs": 3}, "all but epochs"),
        ({"optimizer": "sgd", "lr": 0.001, "depth": 3}, {"optimizer": "sgd", "depth": 3}),  # adamw's range
        ({"optimizer": "adam", "lr": 0.001, "momentum": 0.9, "depth": 2}, {"depth": 2}),  # an lr for adam
        ({"optimizer": "sgd", "depth": 12, "dropout": 0.5}, {"optimizer": "sgd"}),
        ({"optimizer": "sgd", "lr": 1}, {"optimizer": "sgd", "lr": 1.0}),
        ({"epochs": EPOCHS, "dropout": 0.5}, {}),
    ],
)
def test_what_does_not_fit_is_left_to_the_sampler(config: dict[str, object], point: object) -> None:
    whole = {name: value for name, value in config.items() if name != "epochs"}
    found = fitting(config, CONDITIONAL)
    assert found == (whole if isinstance(point, str) else point)
    assert isinstance(found.get("lr", 1.0), float)


def test_values_that_break_a_constraint_together_are_not_taken_together() -> None:
    space = space_of(
        parameter("warmup", Integer(0, 9)),
        parameter("length", Integer(1, 9)),
        parameter("epochs", Constant(9)),
        constraints=(parse("warmup < length"), parse("warmup + length < epochs")),
    )
    assert fitting({"warmup": 3, "length": 5}, space) == {"warmup": 3, "length": 5}
    assert fitting({"warmup": 6, "length": 5}, space) == {"warmup": 6}
    assert chosen([[{"warmup": 6, "length": 5}, {"warmup": 3, "length": 4}]], space) == [{"warmup": 3, "length": 4}]


def test_the_best_come_first_and_no_more_than_there_are_places() -> None:
    values = [n / 10 for n in range(10)]
    assert chosen([line(*values)], LINE) == line(*values[:CONFIGURATIONS])
    assert chosen([line(0.5)], LINE) == line(0.5)


def test_several_searches_take_turns_and_nothing_is_taken_twice() -> None:
    assert chosen([line(0.1, 0.2, 0.3), line(0.1, 0.9), line(7.0)], LINE, 4) == line(0.1, 0.9, 0.2, 0.3)
    finite = space_of(parameter("kind", Listed(("a", "b"))))
    assert chosen([[{"kind": "b"}, {"kind": "b"}, {"kind": "c"}]], finite) == [{"kind": "b"}]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("proxy", "'warm_start' must be a list of names of earlier searches, such as [proxy]"),
        ("[1]", "'warm_start' must be a list of names of earlier searches, such as [proxy]"),
        ("[other, mine]", "'warm_start' names this search itself, 'mine'; it takes earlier ones"),
        ("[other, other]", "'warm_start' names 'other' twice"),
    ],
)
def test_what_cannot_be_earlier_searches_is_told(tmp_path: Path, given: str, said: str) -> None:
    text = f"name: mine\nsearch: {{warm_start: {given}}}\nparameters: {{epochs: 9, lr: {{min: 0.1, max: 1.0}}}}\n"
    with pytest.raises(SearchFileError, match=said.replace("[", r"\[")):
        read(tmp_path, text)


def test_a_search_without_one_is_that_of_a_version_that_had_none(tmp_path: Path) -> None:
    text = "name: mine\nsearch: {warm_start: []}\nparameters: {epochs: 9, lr: {min: 0.1, max: 1.0}}\n"
    assert read(tmp_path, text).settings()["search"]["warm_start"] is None
