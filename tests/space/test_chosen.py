"""Settings of samplers and schedulers: those of another are errors, and what older results lack is at its default."""

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from tests.space.searchfiles import OWN, SMALL, WHOLE, complaints, read
from tuner.facts.rungs import Bracket
from tuner.hyperparameters.table import TRAINABLES
from tuner.space.algorithms import CHOOSERS, SAMPLERS, SCHEDULERS, defaults_of
from tuner.space.read import read_settings
from tuner.space.schema import json_schema
from tuner.space.sections import SECTIONS
from tuner.study.folder import differences, portable_settings

SCHEMA = Draft202012Validator(json_schema(TRAINABLES))


def fits(text):
    return not list(SCHEMA.iter_errors(YAML(typ="safe", pure=True).load(text)))


@pytest.mark.parametrize(
    ("line", "column", "said"),
    [
        (
            "search: {algorithm: tpe, population_size: 20}",
            26,
            "'population_size' applies to cmaes and nsga2, not to tpe",
        ),
        ("search: {population_size: 20}", 10, "'population_size' applies to cmaes and nsga2, not to tpe"),
        ("search: {algorithm: random, n_startup_trials: 3}", 29, "applies to tpe and gp, not to random"),
        ("search: {algorithm: grid, scramble: true}", 27, "'scramble' applies to qmc, not to grid"),
        ("scheduler: {type: median, reduction_factor: 3}", 27, "applies to asha and hyperband, not to median"),
        ("scheduler: {n_min_trials: 3}", 13, "'n_min_trials' applies to median, not to asha"),
    ],
)
def test_a_setting_of_another_is_an_error_where_it_stands(tmp_path, line, column, said):
    text = f"{line}\nparameters: {{epochs: 9, dropout: {{values: [0.0, 0.1]}}}}\n"
    ((row, where, message),) = complaints(tmp_path, text)
    assert (row, where) == (1, column)
    assert message.endswith(said)
    assert not fits(text)


def test_a_misspelled_sampler_is_one_error(tmp_path):
    ((_, _, message),) = complaints(tmp_path, f"search: {{algorithm: cmaess, sigma0: 0.2}}\n{SMALL}")
    assert "did you mean 'cmaes'?" in message


@pytest.mark.parametrize("algorithm", SAMPLERS)
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_a_file_may_name_all_settings_of_what_it_chooses(tmp_path, monkeypatch, algorithm, scheduler):
    monkeypatch.chdir(tmp_path)
    settings = {"algorithm": algorithm, **defaults_of("search", algorithm), "trials": 8}
    stops = {"type": scheduler, **defaults_of("scheduler", scheduler)}
    text = (
        f"search: {json.dumps(settings)}\nscheduler: {json.dumps(stops)}\n"
        "parameters: {epochs: 27, crop_padding: {min: 0, max: 8}}\n"
    )
    assert fits(text)
    file = read(tmp_path, text)
    assert file.search.options == defaults_of("search", algorithm)
    silent = f"search: {{algorithm: {algorithm}, trials: 8}}\nscheduler: {{type: {scheduler}}}\n"
    said = read(tmp_path, silent + text.splitlines()[2]).settings()
    assert said == file.settings()
    again = read_settings(json.loads(json.dumps(said)), "search.json", trainables=TRAINABLES)
    assert again.settings() == said


def test_a_scheduler_is_switched_off_over_its_settings(tmp_path):
    for line in ("scheduler: {type: median, n_min_trials: 4}", "scheduler: {grace_period: 2, reduction_factor: 4}"):
        assert read(tmp_path, f"{line}\n{SMALL}", "scheduler.type=none").scheduler.rungs == ()
        assert fits(f"{re.sub('type: median, ', 'type: none, ', line)}\n{SMALL}")


#: What search.json held of ``OWN`` before samplers had settings.
OLDER = {
    "name": "space",
    "trainable": "mine:train",
    "data": None,
    "metric": {"name": "loss", "goal": "minimize"},
    "search": {"algorithm": "tpe", "trials": 64, "seed": 0, "time_budget": None, "points": []},
    "scheduler": {"type": "asha", "grace_period": 1, "reduction_factor": 3, "max_epochs": 9},
    "resources": {"cpus_per_trial": 1, "gpus_per_trial": 0, "max_concurrent": None, "reuse_workers": True},
    "retries": 3,
    "trial_timeout": None,
    "keep_checkpoints": 3,
    "require": [],
    "parameters": {
        "a": [{"values": ["x", "y"], "when": {}}],
        "b": [{"min": 0.0, "max": 1.0, "log": False, "step": None, "when": {"a": ["x"]}}],
    },
}


@pytest.mark.parametrize(("algorithm", "scheduler"), [("tpe", "asha"), ("random", "none")])
def test_results_from_before_there_were_settings_are_read_and_resumed(tmp_path, monkeypatch, algorithm, scheduler):
    monkeypatch.chdir(tmp_path)
    overrides = (f"search.algorithm={algorithm}", f"scheduler.type={scheduler}")
    older = {
        **OLDER,
        "search": {**OLDER["search"], "algorithm": algorithm},
        "scheduler": {**OLDER["scheduler"], "type": scheduler},
    }
    file = read(tmp_path, OWN, *overrides)
    assert differences(older, portable_settings(file)) == []
    assert read_settings(older, "search.json", trainables=TRAINABLES).settings() == file.settings()


def test_another_setting_is_another_search(tmp_path):
    assert differences(OLDER, portable_settings(read(tmp_path, OWN, "search.n_startup_trials=20"))) == [
        "search.n_startup_trials (10, now 20)"
    ]


def test_a_grid_needs_an_end_of_values(tmp_path):
    text = (
        "search: {algorithm: grid}\nparameters:\n  epochs: 9\n  dropout: {min: 0.0, max: 0.5}\n"
        "  weight_decay: {min: 1e-4, max: 1e-2, log: true}\n  cutout: {min: 2, max: 8, step: 2}\n"
    )
    assert complaints(tmp_path, text) == [
        (4, 13, "'dropout' has no end of values for a grid; give it a 'step', or list its 'values'"),
        (5, 18, "'weight_decay' has no end of values for a grid; list its 'values'"),
    ]
    good = text.replace("max: 0.5", "max: 0.5, step: 0.1").replace("{min: 1e-4, max: 1e-2, log: true}", "1e-4")
    assert complaints(tmp_path, good) == []
    large = "search: {algorithm: grid}\n" + OWN + "".join(f"  {name}: {{min: 0, max: 99}}\n" for name in "cde")
    large = large.replace("{min: 0.0, max: 1.0, when: {a: x}}", "1")
    assert complaints(tmp_path, large) == [
        (1, 21, "a grid has at most 100,000 configurations; take larger steps, or qmc")
    ]


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ("{algorithm: cmaes}", "cmaes moves unconditional ranges, and there is none: tpe draws every parameter"),
        ("{algorithm: nsga2, trials: 2}", "all 2 trials are random: nsga2 begins after a population of 50"),
    ],
)
def test_a_sampler_that_would_not_do_what_it_is_for_is_a_warning(tmp_path, search, said):
    text = f"search: {search}\nparameters: {{epochs: 9, dropout: {{values: [0.0, 0.1]}}}}\n"
    warnings = read(tmp_path, text).warnings
    assert said in [warning.message for warning in warnings]


def test_rungs_are_those_of_all_brackets(tmp_path):
    file = read(tmp_path, WHOLE, "scheduler.type=hyperband")
    assert file.scheduler.rungs == (3, 9)
    assert file.scheduler.brackets == (Bracket(9, (3, 9)), Bracket(5, (9,)), Bracket(3, ()))
    assert read(tmp_path, WHOLE).scheduler.brackets == (Bracket(1, (3, 9)),)
    median = WHOLE.replace("type: asha, grace_period: 3, reduction_factor: 3", "type: median")
    assert (read(tmp_path, median).scheduler.rungs, read(tmp_path, median).scheduler.grace_period) == ((), 3)


def test_every_setting_and_choice_is_documented():
    page = Path("docs/search-file.md").read_text(encoding="utf-8")
    choosing = Path("docs/choosing.md").read_text(encoding="utf-8")
    for section, chooser in CHOOSERS.items():
        for item in SECTIONS[section].values():
            (row,) = [line for line in page.splitlines() if line.startswith(f"| `{section}.{item.name}` |")]
            for name in (*item.applies.get(chooser, ()), *(item.choices if item.name == chooser else ())):
                assert item.name == "grace_period" or re.search(rf"\b{name}\b", row), f"{item.name}: {name}"
    for name in (*SAMPLERS, *SCHEDULERS):
        assert f"\n| {name} |" in choosing
