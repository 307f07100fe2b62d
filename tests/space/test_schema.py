"""The JSON Schema of a search file agrees with what reads it."""

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from tests.space.searchfiles import OWN, SMALL, WHOLE
from tuner.hyperparameters.table import FIELDS, TRAINABLES
from tuner.space.schema import json_schema

SCHEMA = json_schema(TRAINABLES)
SHIPPED = sorted((Path(__file__).parents[2] / "search_spaces").glob("*.yaml"))


def errors(text):
    return list(Draft202012Validator(SCHEMA).iter_errors(YAML(typ="safe", pure=True).load(text)))


def test_it_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_files_fit(path):
    assert errors(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("text", [WHOLE, OWN, SMALL, "data:\nsearch:\n" + SMALL], ids=["whole", "own", "small", "null"])
def test_good_files_fit(text):
    assert errors(text) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: cifar10", "nam: cifar10"),
        ("trainable: cifar", "trainable: cifr"),
        ("validation: 5000", "validation: many"),
        ("trials: 64", "trials: 0"),
        ("goal: maximize", "goal: up"),
        ("90m", "90 minutes"),
        ("type: asha", "type: halving"),
        ("reduction_factor: 3", "reduction_factor: 1"),
        ("max: 1.0, ", "maximum: 1.0, "),
        ("min: 1e-2,", ""),
        ("model: resnet18", "model: resnet19"),
        ("epochs: 27", "epochs: 2.5"),
        ("values: [128, 256, 512]", "values: [128, 256, 1]"),
        ("values: [128, 256, 512]", "values: []"),
        ("values: [128, 256, 512]", "values: [128, 128]"),
        ("weight_decay: {", "weight_decai: {"),
        ("max: 0.5}", "max: 1.5}"),
        ("log: true, when", "log: 1, when"),
        ("when: {schedule: step}", "when: step"),
        ("require: [", "require: [3, "),
    ],
)
def test_planted_errors_do_not(old, new):
    assert old in WHOLE
    assert errors(WHOLE.replace(old, new))


def test_ones_own_trainable_has_parameters_of_any_name_but_no_data():
    assert errors(OWN.replace("a: {values", "2a: {values"))
    assert errors("data: {root: x}\n" + OWN)


def test_every_hyperparameter_is_described_with_its_default():
    entries = SCHEMA["allOf"][0]["then"]["properties"]["parameters"]["properties"]
    assert entries.keys() == FIELDS.keys()
    for name, field in FIELDS.items():
        assert entries[name]["description"] == field.meaning
        assert entries[name]["default"] == field.default


@pytest.mark.parametrize(
    ("metric", "fits"), [("{name: val_loss}, {name: train_seconds}", True), ("", False), ("3", False)]
)
def test_a_list_of_metrics(metric, fits):
    assert (errors(f"metric: [{metric}]\n{SMALL}") == []) is fits
