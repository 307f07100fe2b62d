"""Configurations given on the command line: read as YAML, and held against the space before anything is written."""

from __future__ import annotations

import pytest

from tests.search.simulation import parameter, space_of
from tuner.facts.errors import SearchFileError
from tuner.space.domains import Constant, Integer, Listed, Real
from tuner.space.expressions import parse
from tuner.space.points import read_point, refusal

SPACE = space_of(
    parameter("optimizer", Listed(("sgd", "adamw"))),
    parameter("lr", Real(1e-4, 1.0, log=True)),
    parameter("momentum", (Real(0.5, 0.99), {"optimizer": ("sgd",)})),
    parameter("warmup", Integer(0, 9)),
    parameter("epochs", Constant(9)),
    constraints=(parse("warmup < epochs"), parse("momentum < 0.9 or warmup == 0")),
)


def test_values_are_read_as_yaml_and_become_what_the_sampler_would_draw() -> None:
    point = read_point(["lr=1", "warmup=0", "optimizer=sgd", "momentum=9.5e-1"], SPACE)
    assert point == {"lr": 1.0, "warmup": 0, "optimizer": "sgd", "momentum": 0.95}
    assert isinstance(point["lr"], float)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["momentun=0.9"], "momentun=0.9: error: 'momentun' is not in parameters; did you mean 'momentum'?"),
        (["lr=2.0"], "lr=2.0: error: 'lr' is 2.0, which is not in real 0.0001 to 1.0, log"),
        (["lr=fast"], "lr=fast: error: 'lr' is fast, which is not in real 0.0001 to 1.0, log"),
        (["optimizer=adamw", "momentum=0.9"], "'momentum' is inactive under the point's other values"),
        (["warmup=9"], "the point breaks the constraint 'warmup < epochs'"),
        (["epochs=3"], "'epochs' is 3, which is not in 9"),
        (["lr"], "lr: error: a value is given as NAME=VALUE, such as lr=0.1"),
        (["lr=0.1", "lr=0.2"], "'lr' is given twice"),
        (["lr=[0.1"], "this is not YAML"),
    ],
)
def test_what_no_configuration_has_is_refused(texts: list[str], said: str) -> None:
    with pytest.raises(SearchFileError) as error:
        read_point(texts, SPACE)
    assert said in str(error.value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(SearchFileError) as error:
        read_point(["lr=7", "speed=1", "warmup=x"], SPACE)
    assert len(str(error.value).splitlines()) == 3


def test_values_that_only_the_constraints_exclude_together() -> None:
    assert refusal({"momentum": 0.95}, SPACE) is None
    impossible = space_of(*SPACE.parameters.values(), constraints=(parse("momentum + lr < 0.5"),))
    assert "keeps 'require'" in str(refusal({"momentum": 0.7}, impossible))
