"""What is wrong with a search file: all of it, where it stands, and what was meant."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.space.searchfiles import OWN, SMALL, WHOLE, complaints, read, write
from tuner.facts.errors import SearchFileError, UsageError
from tuner.hyperparameters.table import TRAINABLES
from tuner.space.read import read_search_file

# Each is a line for the end of a file whose section `parameters` ends it; the column counts from its indentation on.
ENTRIES = [
    ("lr: {min: 0.1, maximum: 1.0}", 16, "unknown key 'maximum'; did you mean 'max'?"),
    ("lr: {min: 1.0, max: 0.1}", 5, "'min' must be below 'max': 1.0 is not below 0.1"),
    ("lr: {min: 0.1, max: 0.1}", 5, "for one value write 0.1"),
    ("lr: {min: '0.1', max: 1.0}", 11, "'min' must be a number, not the text '0.1'"),
    ("lr: {min: 0.1}", 5, "'lr' has no 'max'"),
    ("lr: {min: 0.1, max: 1.0, value: 3}", 5, "'lr' must be one of {min"),
    ("lr: {when: {epochs: 9}}", 5, "'lr' must be one of {min"),
    ("lr: {}", 5, "'lr' must be one of {min"),
    ("lr: {min: 0.1, max: 1.0, log: 1}", 31, "'log' must be true or false"),
    ("lr: {min: 0.1, max: 1.0, log: true, step: 0.1}", 43, "exclude each other"),
    ("lr: {min: 0.1, max: 1.0, step: 0.4}", 32, "such as 0.9"),
    ("lr: {min: 0.1, max: 1.0, step: 0.0}", 32, "'step' must be above 0"),
    ("lr: {min: 0.1, max: 1.0, step: 1e-300}", 32, "at most 1000000 steps"),
    ("batch_size: {min: 8, max: 64, step: 0.5}", 37, "'step' must be an integer"),
    ("weight_decay: {min: 0.0, max: 1.0, log: true}", 21, "'min' must be above 0 where 'log' is true"),
    ("weight_decay: {min: 0, max: 1}", 15, "write {min: 0.0, max: 1.0}"),
    ("lr: {min: 0.1, max: 1001.0}", 21, "'lr' must be a number above 0 and at most 1000, not 1001.0"),
    ("lr: {min: 0.0, max: 1.0}", 11, "'lr' must be a number above 0"),
    ("batch_size: {min: 2.0, max: 64.0}", 13, "both bounds must be integers"),
    ("batch_size: 1", 13, "'batch_size' must be an integer at least 2"),
    ("batch_size: {value: 1}", 21, "'batch_size' must be an integer at least 2"),
    ("batch_size: {values: [2, 128.0, x]}", 26, "not 128.0"),
    ("batch_size: {values: [2, 128.0, x]}", 33, "not 'x'"),
    ("batch_size: {values: []}", 22, "at least one value"),
    ("batch_size: {values: 3}", 22, "must be a list"),
    ("batch_size: [2, 3]", 13, "not [2, 3]"),
    ("batch_size: {values: [2, 3, 2.0]}", 29, "2.0 equals 2, which is listed already"),
    ("flip: {values: [1, true]}", 20, "true equals 1"),
    ("flip: {min: 0, max: 1}", 7, "cannot be a range: it must be true or false"),
    ("optimizer: sdg", 12, ", not 'sdg'; did you mean 'sgd'?"),
    ("learning_rate: 0.1", 1, "unknown hyperparameter 'learning_rate'"),
    ("mixup: 0.1", 1, "unknown hyperparameter 'mixup'; did you mean 'mixup_alpha'?"),
    ("momentum: {value: 0.9, when: optimizer}", 30, "'when' must be a mapping"),
    ("momentum: {value: 0.9, when: {optimiser: sgd}}", 31, "does not stand in parameters"),
    ("momentum: {value: 0.9, when: {optimizer: sgd}}", 31, "put it there, fixed or listed"),
    ("momentum: {value: 0.9, when: {dropout: 0.1}}", 31, "'dropout' is a range"),
    ("momentum: {value: 0.9, when: {epochs: 8}}", 31, "can never hold: 'epochs' is never 8, only 9"),
    ("momentum: {value: 0.9, when: {epochs: []}}", 39, "can never hold"),
    ("momentum: {value: 0.9, when: {momentum: 0.9}}", 31, "cannot be its own parent"),
    ("lr: [{value: 0.1}, 0.2]", 20, "alternatives are mappings, all of them; write {value: 0.2}"),
    ("lr: [{value: 0.1}, {value: 0.2}]", 20, "an earlier alternative is taken wherever it holds"),
    ("width: {values: [8, 16]}", 8, "put 'model' into parameters, it is resnet18 by default"),
    ("step_size: 3", 12, "put 'schedule' into parameters, it is cosine by default"),
    ("epochs: 3", 1, "the key 'epochs' is repeated; it stands in line 2 already"),
    ("lr: 2001-01-01", 5, "is a date"),
    ("lr: .inf", 5, "a number must be finite"),
    ("lr: 1e999", 5, "a number must be finite"),
    ("seed: 99999999999999999999999999", 7, "must fit in 64 bits"),
    ("lr: !!float 3", 5, "tags"),
    ("lr: &x 0.1", 5, "anchors (&x)"),
    ("lr: *x", 5, "aliases (*x)"),
    ("<<: {lr: 0.1}", 1, "merge keys"),
    ("1: 2", 1, "a key must be text"),
    ("? [a]\n  : 2", 3, "a key must be text"),
    ("lr: {value: {a: 1}}", 13, "a mapping cannot be a value"),
    ("rank: 2", 1, "a column of the leaderboard"),
]


@pytest.mark.parametrize(("entry", "column", "said"), ENTRIES)
def test_a_wrong_entry_is_reported_where_it_stands(tmp_path, entry, column, said):
    found = complaints(tmp_path, f"{SMALL}  {entry}\n")
    assert any(
        place == (4, column + 2) and said in message for *place, message in map(list, found) for place in [tuple(place)]
    ), found


SECTIONS = [
    ("nam: x", 1, "unknown key 'nam'; did you mean 'name'?"),
    ("name: a/b", 7, "a name has"),
    ("name: ..", 7, "a name has"),
    ("name: ''", 7, "must not be empty"),
    ("name: [a]", 7, "'name' must be text"),
    ("trainable: cifr", 12, "did you mean 'cifar'?"),
    ("results: gs://bucket", 10, "results is a folder or s3://bucket/prefix"),
    ("results: s3://Bucket/a", 10, "results s3://Bucket/a has no bucket in 'Bucket'"),
    ("results: s3://bucket/a/../b", 10, "has '..' in its prefix"),
    ('results: "a\\0b"', 10, "cannot be a path"),
    ("data: {validation: 0}", 20, "at least 1"),
    ("data: {validaton: 5}", 8, "did you mean 'validation'?"),
    ("data: cifar10", 7, "must be a mapping"),
    ("data: {root: 3}", 14, "must be text"),
    ("metric: {name: val_los}", 16, "did you mean 'val_loss'?"),
    ("metric: {name: val_loss, goal: maximize}", 32, "must be minimize"),
    ("metric: []", 9, "needs at least one metric"),
    ("metric: [val_loss]", 10, "must be a mapping with some of the keys name, goal"),
    ("metric: [{goal: minimize}]", 10, "'name' is missing"),
    ("metric: [{name: train_seconds}]", 17, "'train_seconds' is known at a trial's end; the first metric is judged"),
    ("metric: [{name: val_loss}, {name: train_secs}]", 35, "did you mean 'train_seconds'?"),
    ("metric: [{name: val_loss}, {name: train_loss, goal: maximize}]", 53, "must be minimize"),
    ("metric: [{name: val_loss}, {name: val_loss}]", 35, "'val_loss' stands in 'metric' twice"),
    ("search: {algorithm: tpee}", 21, "did you mean 'tpe'?"),
    ("search: {trials: 0}", 18, "at least 1"),
    ("search: {trials: true}", 18, "not true"),
    ("search: {time_budget: 2 weeks}", 23, "30s, 90m, 2h"),
    ("search: {time_budget: -3}", 23, "above 0"),
    ("search: {epoch_budget: 0}", 24, "at least 1"),
    ("search: {min_improvement: 0}", 27, "above 0"),
    ("search: {gpu_hours: 2}", 21, "'gpu_hours' has no meaning where no trial has a GPU; set resources.gpus_per_trial"),
    ("search: {points: {dropout: 0.1}}", 18, "a list of mappings"),
    ("search: {points: [{dropout: 0.6}]}", 19, "'dropout' is 0.6, which is not in real 0.0 to 0.5"),
    ("search: {points: [{lr: 0.6}]}", 19, "'lr' is not in parameters"),
    ("scheduler: {type: bandit}", 19, "one of asha, hyperband, median, none"),
    ("scheduler: {reduction_factor: 1}", 31, "at least 2"),
    ("scheduler: {exempt: 1}", 21, "at least 0 and below 1"),
    ("scheduler: {max_epochs: 3}", 25, "parameters.epochs"),
    ("resources: {gpus_per_trial: 2}", 29, "trains on one GPU, so gpus_per_trial is at most 1"),
    ("resources: {cpus_per_trial: 0}", 29, "above 0"),
    ("require: dropout < 1", 10, "must be a list"),
    ("require: [dropout << 1]", 20, "this is no condition"),
    ('require: ["dropout > 1 and lrr > 1"]', 28, "'lrr' does not stand in parameters"),
    ("require: [3]", 11, "a condition must be text"),
    ("require: [\"dropout < 'x'\"]", 11, "cannot compare a number with text"),
    ("require: [model < 3]", 11, "cannot compare text with a number"),
    ("require: [epochs]", 11, "its value is 9, not true or false"),
]


@pytest.mark.parametrize(("line", "column", "said"), SECTIONS)
def test_a_wrong_setting_is_reported_where_it_stands(tmp_path, line, column, said):
    found = complaints(tmp_path, f"{line}\n{SMALL}")
    assert [item[:2] for item in found] == [(1, column)], found
    assert said in found[0][2]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("mine:train", "mine:tran", "has no function 'tran'; did you mean 'train'?"),
        ("mine:train", "nowhere.to.be:found", "neither beside the search file"),
        ("mine:train", "mine.train", "trainable must be cifar, or package.module:function, not 'mine.train'"),
        ("a: {values", "2a: {values", "letters, digits and '_'"),
        ("a: {values", "in: {values", "a word of conditions"),
        ("metric: {name: loss, goal: minimize}", "metric: [{name: loss}]", "'goal' is missing"),
        (
            "metric: {name: loss, goal: minimize}",
            "metric: [{name: loss, goal: minimize}, {name: rank, goal: minimize}]",
            "'rank' is a column of the leaderboard with a meaning of its own",
        ),
        ("a: {values", "metric_x: {values", "a column of the leaderboard"),
        ("a: {values", "seed: {values", "'seed' must be an integer"),
        ("scheduler: {max_epochs: 9}", "", "'scheduler.max_epochs' is missing"),
        ("scheduler: {max_epochs: 9}", "scheduler: {max_epochs: 9}\ndata: {root: x}", "'data' is for the built-in"),
        (", goal: minimize", "", "'goal' is missing"),
        ("scheduler:", "resources: {gpus_per_trial: 1.5}\nscheduler:", "gpus_per_trial above 1 must be whole"),
    ],
)
def test_a_trainable_of_ones_own_has_rules_of_its_own(tmp_path, old, new, said):
    found = complaints(tmp_path, OWN.replace(old, new))
    assert any(said in message for *_, message in found), found


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("def train(config):\n    return {}\n", "without a yield"),
        ("def train(config):\n    def inner():\n        yield\n    return inner\n", "without a yield"),
        ("def train():\n    yield {}\n", "cannot be called as train(config)"),
        ("def train(a, b, c):\n    yield {}\n", "cannot be called as train(config)"),
        ("def train(config, checkpoint=None, extra=1):\n    yield {}\n", None),
        ("def train(*arguments):\n    yield from []\n", None),
        ("def wrap(f):\n    return f\n@wrap\ndef train():\n    return 1\n", None),
    ],
)
def test_a_function_that_cannot_be_a_trainable_is_reported(tmp_path, function, said):
    (tmp_path / "shaped.py").write_text(function)
    found = [message for *_, message in complaints(tmp_path, OWN.replace("mine", "shaped"))]
    assert found == [] if said is None else said in found[0]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("{dataset: parquet}", "'parquet' needs 'root'"),
        ("{dataset: folder}", "'folder' needs 'root'"),
        ("{dataset: digits, root: here}", "'root' has no meaning for digits"),
        ("{dataset: digts}", "did you mean 'digits'?"),
    ],
)
def test_data_that_no_search_could_find_is_reported(tmp_path, data, said):
    found = [message for *_, message in complaints(tmp_path, f"data: {data}\nparameters: {{model: cnn}}\n")]
    assert any(said in message for message in found), found


def test_a_trainable_with_a_syntax_error_is_reported(tmp_path):
    (tmp_path / "broken.py").write_text("def train(config)\n    yield\n")
    ((line, column, message),) = complaints(tmp_path, OWN.replace("mine", "broken"))
    assert (line, column) == (1, 12)
    assert "is wrong in line 1" in message


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ("optimizer: {values: [sgd, adamw]}\n  momentum: 0.9", "write {value: 0.9, when: {optimizer: sgd}}"),
        ("optimizer: {values: [sgd, adamw]}\n  momentum: {min: 0.1, max: 0.9}", "add when: {optimizer: sgd}"),
        ("optimizer: adamw\n  momentum: {min: 0.1, max: 0.9}", "which it never is here; leave 'momentum' out"),
        (
            "flip: {values: [true, false]}\n  optimizer: {values: [sgd, adamw]}\n"
            "  momentum: [{value: 0.9, when: {optimizer: sgd, flip: true}}, {value: 0.8, when: {flip: false}}]",
            "make it when: {flip: false, optimizer: sgd}",
        ),
        (
            "schedule: {values: [constant, cosine, onecycle]}\n  warmup_epochs: 3",
            "write {value: 3, when: {schedule: [constant, cosine]}}",
        ),
        (
            "flip: {values: [true, false]}\n  schedule: {values: [step], when: {flip: true}}\n  step_size: 3",
            "write {value: 3, when: {schedule: step}}",
        ),
        (
            "schedule: {values: [step, cosine]}\n  dropout: {value: 0.1, when: {schedule: [step, cosin]}}",
            "'schedule' is never cosin, only step or cosine; did you mean 'cosine'?",
        ),
        ("epochs: {values: [3, 9]}", "'epochs' must be fixed"),
        (
            "flip: {value: true, when: {cutout: 8}}\n  cutout: {value: 8, when: {flip: true}}",
            "flip needs cutout needs flip",
        ),
        (
            "flip: {values: [true, false]}\n  cutout: {values: [4, 8], when: {flip: true}}\n"
            "  crop_padding: {value: 4, when: {flip: false, cutout: 8}}",
            "this can never hold",
        ),
    ],
)
def test_conditions_are_held_against_all_that_parents_can_be(tmp_path, parameters, said):
    head = "parameters:\n  " if "epochs" in parameters.split(":")[0] else "parameters:\n  epochs: 9\n  "
    ((line, _, message),) = complaints(tmp_path, f"{head}{parameters}\n")
    assert said in message
    assert line is not None


def test_a_condition_may_name_more_than_the_parent_has_now(tmp_path):
    text = SMALL + "  model: cnn\n  width: {values: [8, 16], when: {model: [cnn, resnet9]}}\n"
    assert complaints(tmp_path, text) == []
    assert "width" not in read(tmp_path, text, "model=resnet18").space.parameters


def test_a_child_of_an_inactive_parent_is_judged_by_the_default_that_training_takes(tmp_path):
    text = (
        "parameters:\n  epochs: 9\n  flip: {values: [true, false]}\n  optimizer: {value: adamw, when: {flip: true}}\n"
    )
    assert complaints(tmp_path, text) == []
    assert complaints(tmp_path, text + "  momentum: {value: 0.9, when: {flip: false}}\n") == []  # sgd by default
    assert complaints(tmp_path, text + "  beta1: {value: 0.9, when: {optimizer: adamw}}\n") == []


def test_a_space_that_nothing_is_left_of_is_an_error(tmp_path):
    found = complaints(tmp_path, "parameters: {epochs: 9, cutout: {values: [0, 8]}}\nrequire: [cutout > 8]\n")
    assert found == [(2, 11, "no configuration fulfils what is required")]


def test_all_errors_come_at_once_in_the_order_of_the_file(tmp_path):
    text = WHOLE
    for old, new in [
        ("name: cifar10", "nam: cifar10"),
        ("validation: 5000", "validation: many"),
        ("trials: 64", "trials: 64, trials: 65"),
        ("warmup_epochs < epochs", "warmup_epochs <"),
        ("max: 1.0, ", "maximum: 1.0, "),
        ("{min: 0.8, max: 0.98, when: {optimizer: sgd}}", "{min: 0.8, max: 0.98}"),
        ("{schedule: step}}\n  gamma", "{shedule: step}}\n  gamma"),
    ]:
        assert old in text
        text = text.replace(old, new, 1)
    lines = [line for line, *_ in complaints(tmp_path, text)]
    assert lines == [1, 7, 11, 17, 24, 26, 31]


def test_an_error_shows_file_line_column_source_and_caret(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, SMALL + "  lr: {min: 0.1, maximum: 1.0}\n")
    from pathlib import Path

    with pytest.raises(SearchFileError) as caught:
        read_search_file(Path("space.yaml"), trainables=TRAINABLES)
    assert str(caught.value) == (
        "space.yaml:4:18: error: unknown key 'maximum'; did you mean 'max'?\n"
        "    lr: {min: 0.1, maximum: 1.0}\n"
        "                   ^"
    )


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("", (None, None), "the file is empty"),
        ("# nothing\n", (None, None), "the file is empty"),
        ("name: x\n", (None, None), "'parameters' is missing"),
        ("- 1\n", (1, 1), "a search file is a mapping"),
        ("parameters: 3\n", (1, 13), "parameters must be a mapping"),
        ("parameters: [\n", (2, 1), "this is not YAML"),
        ("a: b: c\n", (1, 5), "this is not YAML: mapping values are not allowed here"),
        ("a:\n\t- b\n", (2, 1), "this is not YAML"),
        ("%YAML 1.1\n---\n" + SMALL, (1, 1), "directives"),
        ("%TAG ! tag:x,2000:\n---\n" + SMALL, (1, 1), "directives"),
        (SMALL + "---\na: 1\n", (4, 1), "a second document"),
        ("name: a\x07b\n", (1, 8), "U+0007 is not allowed"),
        ("%YAML 99999999999999999999.1\n---\n", (1, 1), "this is not YAML"),
        ("parameters: " + "[" * 100_000, (1, 32), "at most 20 deep"),
        ("parameters: " + "{a: " * 1000, (1, 89), "at most 20 deep"),
        ("".join(f"{' ' * i}a{i}:\n" for i in range(1000)), (21, 21), "at most 20 deep"),
        ("parameters:\n" + "".join(f"  p{i}: 1\n" for i in range(1001)), (2, 3), "at most 1000"),
    ],
)
def test_a_file_that_is_no_search_file_is_refused(tmp_path, text, place, said):
    found = complaints(tmp_path, text)
    assert [item[:2] for item in found] == [place], found
    assert said in found[0][2]


def test_a_name_that_cannot_come_from_the_file_is_asked_for(tmp_path):
    path = tmp_path / "My Search.yaml"
    path.write_text(SMALL)
    with pytest.raises(SearchFileError, match="'My Search' cannot name a search; set 'name'"):
        read_search_file(path, trainables=TRAINABLES)


@pytest.mark.parametrize("text", [WHOLE, OWN])
def test_no_prefix_of_a_good_file_brings_a_traceback(tmp_path, text):
    path = write(tmp_path, text)
    content = text.encode()
    good = 0
    for end in range(len(content)):
        path.write_bytes(content[:end])
        try:
            read_search_file(path, trainables=TRAINABLES)
            good += 1
        except SearchFileError as error:
            assert re.search(r"space\.yaml(:\d+:\d+)?: error: .", str(error))
    assert good


_KEYS = st.sampled_from(["parameters", "lr", "when", "min", "max", "values", "search", "points", "require", "epochs"])
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | _KEYS
_VALUES = st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4))


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=200) | st.text(alphabet="ab:-{}[],&*!%|>'\"# \n\t01.", max_size=60).map(str.encode))
def test_no_bytes_bring_a_traceback(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "garbage.yaml"
    path.write_bytes(content)
    with pytest.raises(UsageError):
        read_search_file(path, trainables=TRAINABLES)


@settings(max_examples=300, deadline=None)
@given(
    parameters=st.dictionaries(st.sampled_from(sorted(TRAINABLES["cifar"])), _VALUES, max_size=5),
    rest=st.dictionaries(_KEYS, _VALUES, max_size=3),
)
def test_no_structure_brings_a_traceback(tmp_path_factory, parameters, rest):
    import json

    path = tmp_path_factory.getbasetemp() / "structure.yaml"
    path.write_text(json.dumps({**rest, "parameters": parameters}), encoding="utf-8")
    try:
        file = read_search_file(path, trainables=TRAINABLES)
    except UsageError:
        return
    assert json.dumps(file.settings(), allow_nan=False)


def test_a_file_that_shall_pass_passes(tmp_path):
    assert read(tmp_path, WHOLE).warnings == ()
