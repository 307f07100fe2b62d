"""What a space proposes, counts and admits."""

import math
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.space.searchfiles import OWN, WHOLE, read
from tuner.space.domains import Constant, Integer, Listed, Real
from tuner.space.sampling import draw, sample

TREE = """\
trainable: mine:train
scheduler: {type: none}
parameters:
  leaf: {values: [1, 2], when: {branch: left}}
  branch: {values: [left, right], when: {root: [a, b]}}
  root: {values: [a, b, c]}
  size:
    - {values: [10, 20], when: {root: a, branch: left}}
    - {value: 7, when: {root: a}}
    - {min: 1, max: 5, step: 2, when: {root: b}}
"""


def test_only_active_parameters_are_in_a_configuration_and_parents_come_first(tmp_path):
    space = read(tmp_path, TREE).space
    asked = []

    def first(key, domain):
        asked.append(key)
        return next(iter(domain))

    assert space.configure(first) == {"root": "a", "branch": "left", "leaf": 1, "size": 10}
    assert sorted(asked) == ["branch", "leaf", "root", "size@0"]
    assert [key for key in asked if key in ("root", "branch", "leaf")] == ["root", "branch", "leaf"]
    last = space.configure(lambda _, domain: list(domain)[-1])
    assert last == {"root": "c"}
    assert set(space.searched) == {"root", "branch", "leaf", "size"}


def test_a_constant_is_not_asked_for(tmp_path):
    space = read(tmp_path, WHOLE).space
    keys = set()
    space.configure(lambda key, domain: keys.add(key) or draw(domain, random.Random(1)))
    assert "model" not in keys
    assert keys & {"lr@0", "lr@1"}
    assert "model" not in space.searched


def test_every_configuration_is_counted_once(tmp_path):
    space = read(tmp_path, TREE).space
    configs = list(space.configurations())
    # a: left (2 leaves x 2 sizes), right (1); b: left (2 leaves x 3 sizes), right (3); c: 1
    assert len(configs) == space.size() == 4 + 1 + 6 + 3 + 1
    assert len({str(sorted(config.items())) for config in configs}) == len(configs)
    assert all(space.admits(config) is None for config in configs)


def test_constraints_take_configurations_away(tmp_path):
    space = read(tmp_path, TREE + "require: [\"size < 10 or leaf == 2\", \"root != 'b' or branch == 'right'\"]\n").space
    for config in space.configurations():
        assert config.get("size", 0) < 10 or config["leaf"] == 2
    # One that mentions an inactive parameter holds: the first says nothing about b's right branch.
    assert space.size() == 2 + 1 + 3 + 1
    assert space.allows({"root": "c"})
    assert not space.allows({"root": "a", "branch": "left", "leaf": 1, "size": 10})


def test_a_constraint_knows_the_defaults_of_what_the_file_leaves_out(tmp_path):
    text = "parameters: {epochs: 9, schedule: {values: [constant, onecycle]}, dropout: {values: [0.0, 0.5]}}\n"
    space = read(tmp_path, text + "require: [warmup_epochs > 0 or dropout == 0, momentum == 0.9]\n").space
    # warmup_epochs is 0 with constant and does not apply with onecycle.
    assert not space.allows({"epochs": 9, "schedule": "constant", "dropout": 0.5})
    assert space.allows({"epochs": 9, "schedule": "onecycle", "dropout": 0.5})
    assert space.size() == 3


def test_infinite_and_huge_spaces_are_not_counted(tmp_path):
    assert read(tmp_path, WHOLE).space.size() is None
    big = OWN.replace("{min: 0.0, max: 1.0, ", "{min: 1, max: 1000000000, ")
    assert read(tmp_path, big).space.size() is None
    with pytest.raises(ValueError, match="infinitely many"):
        list(read(tmp_path, WHOLE).space.configurations())


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        ({"root": "a"}, None),
        ({"root": "b", "size": 3}, None),
        ({"size": 7}, None),
        ({"branch": "left", "size": 20}, None),
        ({}, None),
        ({"root": "d"}, "'root' is d, which is not in one of a, b, c"),
        ({"root": "c", "branch": "left"}, "'branch' is inactive"),
        ({"root": "b", "size": 2}, "'size' is 2, which is not in integer 1 to 5, step 2"),
        ({"branch": "right", "leaf": 1}, "'leaf' is inactive"),
        ({"size": 8}, "'size' is 8, which is not in one of 10, 20 or in 7 or in integer 1 to 5, step 2"),
        ({"roof": "a"}, "'roof' is not in parameters"),
        ({"root": "a", "branch": "left", "leaf": 1, "size": 10}, "breaks the constraint 'size < 10 or leaf == 2'"),
        ({"root": "a", "branch": "left", "size": 10}, None),
    ],
)
def test_a_point_is_admitted_if_some_configuration_has_its_values(tmp_path, point, reason):
    said = read(tmp_path, TREE + 'require: ["size < 10 or leaf == 2"]\n').space.admits(point)
    assert said is None if reason is None else reason in said


@given(st.integers(0, 10_000))
def test_samples_are_configurations_that_the_space_admits(seed):
    space = SPACES[0]
    config = sample(space, random.Random(seed))
    assert config is not None
    assert space.admits(config) is None
    assert space.allows(config)


SPACES = []


@pytest.fixture(autouse=True, scope="module")
def _whole(tmp_path_factory):
    SPACES.append(read(tmp_path_factory.mktemp("whole"), WHOLE).space)


@pytest.mark.parametrize(
    ("domain", "inside", "outside", "size"),
    [
        (Real(0.0, 0.5), [0.0, 0.5, 0, 0.25], [-0.1, 0.6, "0.1", True, None, math.nan], None),
        (Real(0.1, 0.9, step=0.2), [0.1, 0.3, 0.7, 0.9, 0.1 + 2 * 0.2], [0.2, 0.4], 5),
        (Integer(1, 10), [1, 10], [0, 11, 1.0, True, "1"], 10),
        (Integer(1, 10, step=3), [1, 4, 10], [2, 9], 4),
        (Listed((1, "a", None, [1, 2])), [1, 1.0, "a", None, [1, 2]], [True, "b", [1], 2], 4),
        (Constant(0.1), [0.1], [0.2, "0.1"], 1),
    ],
)
def test_a_domain_contains_what_it_yields_and_nothing_else(domain, inside, outside, size):
    assert all(domain.contains(value) for value in inside)
    assert not any(domain.contains(value) for value in outside)
    assert domain.size == size
    if size is not None:
        assert len(list(domain)) == size
        assert all(domain.contains(value) for value in domain)
    generator = random.Random(0)
    assert all(domain.contains(draw(domain, generator)) for _ in range(200))


def test_draws_on_a_logarithm_give_each_decade_its_share():
    generator = random.Random(0)
    reals = Counter(math.floor(math.log10(draw(Real(1e-5, 1e-2, log=True), generator))) for _ in range(3000))
    assert all(900 < reals[decade] < 1100 for decade in (-5, -4, -3))
    integers = Counter(draw(Integer(1, 2, log=True), generator) for _ in range(3000))
    share = math.log(1.5 / 0.5) / math.log(2.5 / 0.5)
    assert abs(integers[1] / 3000 - share) < 0.03


def test_domains_read_well():
    texts = [
        domain.text
        for domain in (Real(1e-5, 1e-2, log=True), Integer(3, 12, step=3), Listed((True, None, "a")), Constant([1]))
    ]
    assert texts == ["real 1e-05 to 0.01, log", "integer 3 to 12, step 3", "one of true, null, a", "[1]"]
