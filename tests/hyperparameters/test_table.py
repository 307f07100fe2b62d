"""The table of hyperparameters: typed, bounded, documented, and honest about what applies where."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuner.facts.errors import UsageError
from tuner.facts.fields import Field, Kind, condition
from tuner.facts.records import RESERVED_NAMES
from tuner.hyperparameters.document import page
from tuner.hyperparameters.table import FIELDS, resolve


@pytest.mark.parametrize("field", FIELDS.values(), ids=lambda field: field.name)
class TestEachField:
    def test_its_defaults_are_in_bounds(self, field: Field) -> None:
        defaults = [field.default, *(value for by in field.default_by.values() for value in by.values())]
        assert [field.problem(default) for default in defaults] == [None] * len(defaults)

    def test_its_rules_are_about_fields(self, field: Field) -> None:
        assert all(rule.names | rule.reads <= FIELDS.keys() and rule.says for rule in field.rules)

    def test_what_it_depends_on_stands_before_it(self, field: Field) -> None:
        names = list(FIELDS)
        for parent, values in {**field.applies, **{name: tuple(by) for name, by in field.default_by.items()}}.items():
            assert names.index(parent) < names.index(field.name)
            assert all(FIELDS[parent].problem(value) is None for value in values)

    def test_it_collides_with_no_column(self, field: Field) -> None:
        assert field.name not in RESERVED_NAMES

    def test_it_says_what_it_means(self, field: Field) -> None:
        assert field.meaning.endswith(".") and len(field.meaning) > 10

    def test_wrong_kinds_are_refused(self, field: Field) -> None:
        wrong = {Kind.REAL: "0.1", Kind.INTEGER: 1.5, Kind.BOOLEAN: 1, Kind.CHOICE: 3, Kind.INTEGERS: 3}
        assert field.problem(wrong[field.kind]) is not None
        assert field.problem([1.5]) is not None
        if field.kind in (Kind.REAL, Kind.INTEGER):
            assert field.problem(True) is not None
        if field.kind is Kind.REAL:
            assert field.problem(float("nan")) is not None and field.problem(float("inf")) is not None

    def test_values_beyond_its_bounds_are_refused(self, field: Field) -> None:
        if field.kind is Kind.INTEGERS:
            return
        if field.minimum is not None:
            assert field.problem(int(field.minimum) - 1) is not None
            assert (field.problem(int(field.minimum)) is not None) == field.above
        if field.maximum is not None:
            assert field.problem(int(field.maximum) + 1) is not None
            assert (field.problem(int(field.maximum)) is not None) == field.below


def test_defaults_are_filled_in_where_they_apply() -> None:
    config = resolve({"optimizer": "adamw"}).as_config()
    assert config["lr"] == 1e-3 and "beta1" in config and "momentum" not in config
    assert resolve({}).as_config()["lr"] == 0.1


def test_a_configuration_resolves_to_itself() -> None:
    config = resolve({"model": "cnn", "schedule": "onecycle", "optimizer": "adamw"}).as_config()
    assert resolve(config).as_config() == config


def test_integers_become_the_real_numbers_that_they_stand_for() -> None:
    config = resolve({"optimizer": "adam", "beta1": 0, "lr": 1, "batch_size": 8}).as_config()
    assert [type(config[name]) for name in ("beta1", "lr", "batch_size")] == [float, float, int]


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(UsageError) as caught:
        resolve({"optimizer": "adamw", "momentum": 0.9, "lrr": 1, "dropout": 2})
    said = str(caught.value)
    assert "did you mean 'lr'" in said
    assert "dropout must be a number at least 0 and at most 1, not 2" in said
    assert "momentum applies only where optimizer is sgd" in said


@pytest.mark.parametrize("parent", ["model", "schedule", "optimizer"])
def test_a_parent_of_the_wrong_kind_is_the_only_thing_wrong(parent: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve({parent: ["sgd"]})
    assert str(caught.value).startswith(f"{parent} must be one of ") and ";" not in str(caught.value)


def test_the_docs_are_the_table() -> None:
    assert Path("docs/training.md").read_text(encoding="utf-8") == page()


def test_every_field_is_documented() -> None:
    assert all(f"### `{name}`" in page() for name in FIELDS)


def test_a_condition_is_said_the_shorter_way() -> None:
    parent = Field("model", Kind.CHOICE, "a", "The model.", choices=tuple("abcdef"))
    assert condition(parent, ("a", "c")) == "model is a or c"
    assert condition(parent, tuple("abcde")) == "model is not f"
    assert condition(Field("flip", Kind.BOOLEAN, False, "Mirror."), (True,)) == "flip is true"
