"""Which of the configurations that were tried lie in a changed space, and as what."""

from __future__ import annotations

from typing import Any

import pytest

from tests.search.simulation import parameter, space_of
from tuner.hyperparameters.table import FIELDS
from tuner.space.change import Change
from tuner.space.domains import Constant, Domain, Listed, Real
from tuner.space.expressions import parse

X, KIND = parameter("x", Real(0.0, 1.0)), parameter("kind", Listed(("a", "b")))
TRIED = {"x": 0.5, "kind": "a", "seed": 7}


def space(*domains: tuple[str, Domain]) -> Any:
    return space_of(*(parameter(name, domain) for name, domain in domains))


@pytest.mark.parametrize(
    ("now", "change", "becomes"),
    [
        (space_of(X, KIND), Change(), TRIED),
        (space(("x", Real(0.4, 9.0)), ("kind", Listed(("c", "a")))), Change(), TRIED),  # narrowed and widened
        (space(("x", Real(0.6, 1.0)), ("kind", Listed(("a", "b")))), Change(), None),
        (space(("x", Real(0.0, 1.0)), ("kind", Constant("b"))), Change(), None),
        (
            space(("lr", Real(0.0, 1.0)), ("kind", Constant("a"))),
            Change({"x": "lr"}),
            {"lr": 0.5, "kind": "a", "seed": 7},
        ),
        (space_of(X), Change(), None),  # removed: what it is now, nobody knows
        (space_of(X), Change(defaults={"kind": "a"}), {"x": 0.5, "seed": 7}),
        (space_of(X), Change(defaults={"kind": "b"}), None),
        (space_of(X, KIND, parameter("w", Real(0.0, 1.0))), Change(), None),
        (space_of(X, KIND, parameter("w", Real(0.0, 1.0))), Change(defaults={"w": 1}), {**TRIED, "w": 1.0}),
        (space_of(X, KIND, parameter("w", Real(0.5, 1.0))), Change(defaults={"w": 0.0}), None),
        (space_of(X, KIND, parameter("w", (Real(0.0, 1.0), {"kind": ("b",)}))), Change(), TRIED),
        (space_of(X, KIND, constraints=(parse("x < 0.4"),)), Change(), None),
    ],
)
def test_an_earlier_configuration(now: Any, change: Change, becomes: dict[str, Any] | None) -> None:
    assert change.translated(TRIED, now) == becomes


def test_what_the_built_in_training_would_have_taken_is_known() -> None:
    change = Change(fields=FIELDS)
    before = {"lr": 0.1, "dropout": 0.0, "seed": 1}
    now = space(("lr", Real(0.01, 1.0)), ("weight_decay", Real(0.0, 1e-2)))
    assert FIELDS["dropout"].default == 0.0
    assert change.translated(before, now) == {"lr": 0.1, "weight_decay": FIELDS["weight_decay"].default, "seed": 1}
    assert change.translated({**before, "dropout": 0.3}, now) is None
