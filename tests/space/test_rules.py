"""Rules between fields: kept by every configuration, and an error where the given values can never keep them."""

import random

import pytest

from tuner.facts.errors import SearchFileError
from tuner.facts.fields import Field, Kind, Rule
from tuner.space.read import read_search_file
from tuner.space.sampling import sample

DIVIDES = Rule(
    says="groups must divide the width",
    names=frozenset({"norm", "groups"}),
    reads=frozenset({"width"}),
    test=lambda config: config["norm"] != "group" or config.get("width", 64) % config["groups"] == 0,
)
FIELDS = {
    item.name: item
    for item in (
        Field("model", Kind.CHOICE, "cnn", "The network.", choices=("cnn", "mlp")),
        Field("width", Kind.INTEGER, 32, "Channels.", minimum=1, applies={"model": ("cnn",)}),
        Field("norm", Kind.CHOICE, "batch", "The norm.", choices=("batch", "group")),
        Field("groups", Kind.INTEGER, 8, "Groups.", minimum=1, applies={"norm": ("group",)}, rules=(DIVIDES,)),
        Field("milestones", Kind.INTEGERS, (), "Epochs.", minimum=1),
        Field("epochs", Kind.INTEGER, 9, "Epochs.", minimum=1),
    )
}


def read(tmp_path, parameters, **sections):
    path = tmp_path / "space.yaml"
    lines = [f"{name}: {value}" for name, value in sections.items()]
    path.write_text("\n".join([*lines, "parameters:", *(f"  {line}" for line in parameters)]) + "\n")
    return read_search_file(path, trainables={"cifar": FIELDS})


def problems(tmp_path, *parameters, **sections):
    with pytest.raises(SearchFileError) as caught:
        read(tmp_path, parameters, **sections)
    return [(problem.line, problem.message) for problem in caught.value.problems if problem.severity == "error"]


def test_values_that_never_keep_a_rule_are_an_error_at_the_last_of_them(tmp_path):
    found = problems(tmp_path, "norm: group", "width: 12", "groups: {values: [5, 8]}", "model: cnn")
    assert found == [(4, "groups must divide the width")]


def test_a_default_counts(tmp_path):
    assert problems(tmp_path, "norm: group", "groups: 5") == [(3, "groups must divide the width")]
    assert read(tmp_path, ["norm: group", "groups: 16"]).space.rules == (DIVIDES,)


def test_what_breaks_a_rule_is_not_proposed(tmp_path):
    space = read(tmp_path, ["model: cnn", "norm: group", "width: {min: 8, max: 64}", "groups: {values: [3, 8]}"]).space
    generator = random.Random(0)
    drawn = [sample(space, generator) for _ in range(50)]
    assert all(config["width"] % config["groups"] == 0 for config in drawn)
    assert {config["groups"] for config in drawn} == {3, 8}


def test_a_rule_about_what_does_not_apply_holds(tmp_path):
    space = read(tmp_path, ["norm: {values: [batch, group]}", "groups: {value: 8, when: {norm: group}}"]).space
    assert space.allows({"norm": "batch"}) and space.allows({"norm": "group", "groups": 8})
    assert read(tmp_path, ["model: mlp", "norm: group", "groups: 32"]).space.allows({"norm": "group", "groups": 32})


def test_a_range_that_leaves_nothing_is_reported(tmp_path):
    given = ["model: cnn", "norm: group", "width: {min: 9, max: 11}", "groups: 8"]
    assert problems(tmp_path, *given) == [(2, "no configuration fulfils what is required")]


def test_a_point_that_breaks_a_rule_is_refused(tmp_path):
    given = ["model: cnn", "norm: group", "width: {values: [8, 12]}", "groups: {values: [3, 8]}"]
    found = problems(tmp_path, *given, search="{points: [{width: 8, groups: 3}]}")
    assert found == [(1, "the point breaks a rule: groups must divide the width")]


@pytest.mark.parametrize("wrong", ["[2, 2]", "[3, 2]", "[0, 1]", "[1.5]", "[true]", "3", "{min: 1, max: 3}"])
def test_a_list_of_integers_rises(tmp_path, wrong):
    assert "'milestones' " in problems(tmp_path, f"milestones: {wrong}")[0][1]


def test_a_list_of_integers_is_fixed_or_one_of_several(tmp_path):
    assert sample(read(tmp_path, ["milestones: [2, 5]"]).space, random.Random(0)) == {"milestones": [2, 5]}
    assert read(tmp_path, ["milestones: {values: [[2, 5], [3], []]}"]).space.size() == 3


def test_a_listed_value_that_a_rule_keeps_out_is_warned_of(tmp_path):
    def warnings(groups):
        given = ["norm: {values: [batch, group]}", "model: cnn", "width: {min: 9, max: 15}"]
        file = read(tmp_path, [*given, f"groups: {{value: {groups}, when: {{norm: group}}}}"], search="{trials: 2}")
        return [(warning.line, warning.message) for warning in file.warnings]

    assert warnings(8) == [(3, "'norm' is never group here: groups must divide the width")]
    assert warnings(5) == []
