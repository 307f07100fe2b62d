"""`--set PATH=VALUE` and dedicated options."""

import pytest

from tests.space.searchfiles import OWN, SMALL, WHOLE, complaints, read
from tuner.space.domains import Constant, Listed, Real


def domain(file, name):
    return file.space.parameters[name].alternatives[0].domain


def test_a_bare_key_or_a_path_from_the_top_sets_a_setting(tmp_path):
    file = read(
        tmp_path,
        WHOLE,
        "dataset=parquet",
        "search.trials=7",
        "retries=0",
        "name=x",
        "metric.name=val_loss",
        "goal=minimize",
    )
    assert (file.data.dataset, file.search.trials, file.retries, file.name) == ("parquet", 7, 0, "x")
    assert file.metric.name == "val_loss"


def test_keys_with_a_default_may_be_set_though_the_file_lacks_them(tmp_path):
    file = read(
        tmp_path, SMALL, "trials=7", "cpus_per_trial=2", "data.train_images=100", "momentum=0.5", "parameters.cutout=8"
    )
    assert (file.search.trials, file.resources.cpus_per_trial, file.data.train_images) == (7, 2, 100)
    assert domain(file, "momentum") == Constant(0.5)
    assert domain(file, "cutout") == Constant(8)


def test_a_parameter_is_replaced_as_a_whole(tmp_path):
    file = read(
        tmp_path, WHOLE, "points=[]", "parameters.lr={min: 0.1, max: 1.0}", "dropout=0.25", "batch_size={values: [8]}"
    )
    assert [item.domain for item in file.space.parameters["lr"].alternatives] == [Real(0.1, 1.0)]
    assert domain(file, "dropout") == Constant(0.25)
    assert domain(file, "batch_size") == Listed((8,))


def test_one_key_of_an_entry_or_a_whole_section_can_be_set(tmp_path):
    file = read(tmp_path, WHOLE, "parameters.dropout.max=0.25", "scheduler={type: none}", "require=[dropout < 0.2]")
    assert domain(file, "dropout") == Real(0.0, 0.25)
    assert (file.scheduler.type, file.scheduler.rungs) == ("none", ())
    assert [str(item) for item in file.space.constraints] == ["dropout < 0.2"]


def test_later_ones_win_and_values_are_yaml(tmp_path):
    file = read(tmp_path, WHOLE, "time_budget=1h", "search.time_budget=", "lr=1e-3", "points=[]", "flip=true")
    assert file.search.time_budget is None
    assert domain(file, "lr") == Constant(1e-3)
    assert domain(file, "flip") == Constant(value=True)


def test_a_narrowed_parent_silences_the_conditions_that_it_makes_impossible(tmp_path):
    file = read(tmp_path, WHOLE, "optimizer=adamw", "schedule={values: [cosine, onecycle]}", "points=[]")
    assert "momentum" not in file.space.parameters
    assert "step_size" not in file.space.parameters
    assert [item.domain for item in file.space.parameters["lr"].alternatives] == [Real(1e-4, 1e-2, log=True)]


def test_a_file_can_be_given_to_another_trainable(tmp_path):
    file = read(tmp_path, SMALL, "trainable=mine:train", "max_epochs=3", "metric={name: loss, goal: minimize}")
    assert file.trainable == "mine:train"


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("x", "an override is PATH=VALUE"),
        ("=3", "an override is PATH=VALUE"),
        ("lrr=3", "unknown key 'lrr'; did you mean 'parameters.lr'?"),
        ("trial=3", "did you mean 'search.trials'?"),
        ("data.roott=3", "unknown key 'data.roott'; did you mean 'data.root'?"),
        ("optimizer.values=[sgd]", "did you mean 'parameters.optimizer'?"),
        ("search.seed.x=3", "'search.seed' has no keys below it"),
        ("retries.x=3", "'retries' has no keys below it"),
        ("parameters.model.max=3", "'model' is no mapping here"),
        ("lr=[", "this is not YAML"),
        ("lr=&a 3", "anchors"),
        ("trials=0", "'trials' must be an integer at least 1"),
        ("dropout=x", "'dropout' must be a number"),
        ("lr={min: 1, max: 2}", "write {min: 1.0, max: 2.0}"),
        ("lr={min: 1.0, maxi: 2}", "unknown key 'maxi'"),
    ],
)
def test_a_wrong_override_is_reported_with_its_own_text(tmp_path, override, said):
    from tuner.facts.errors import SearchFileError

    with pytest.raises(SearchFileError) as caught:
        read(tmp_path, WHOLE.replace("lr: 1}", "}").replace("sgd, }", "sgd}"), override)
    (problem,) = caught.value.problems
    assert str(problem).startswith(f"--set {override}: error: ")
    assert said in problem.message


def test_an_ambiguous_key_lists_the_full_paths(tmp_path):
    assert read(tmp_path, WHOLE, "seed=3").search.seed == 3
    ((_, _, message),) = complaints(tmp_path, WHOLE + "  seed: 1\n", "seed=3")
    assert message == "'seed' is ambiguous; write search.seed or parameters.seed"
    assert domain(read(tmp_path, WHOLE + "  seed: 1\n", "parameters.seed=3"), "seed") == Constant(3)
    ((_, _, message),) = complaints(tmp_path, OWN, "epochs=3")
    assert message == "unknown key 'epochs'; did you mean 'scheduler.max_epochs'?"


def test_a_dedicated_option_sets_its_key(tmp_path):
    file = read(tmp_path, WHOLE, flags={"search.trials": ("--trials", 7), "parameters.dropout": ("dropout", 0.5)})
    assert file.search.trials == 7
    assert domain(file, "dropout") == Constant(0.5)


def test_a_dedicated_option_is_the_source_of_its_errors(tmp_path):
    from tuner.facts.errors import SearchFileError

    with pytest.raises(SearchFileError, match=r"^--trials 0: error: 'trials' must be an integer at least 1"):
        read(tmp_path, WHOLE, flags={"search.trials": ("--trials", 0)})


@pytest.mark.parametrize("override", ["trials=3", "search.trials=3", "search={trials: 3}"])
def test_a_dedicated_option_beside_an_override_of_the_same_key_is_an_error(tmp_path, override):
    ((_, _, message),) = complaints(tmp_path, SMALL, override, flags={"search.trials": ("--trials", 7)})
    assert message == f"this sets search.trials, and so does '--set {override}'; leave one out"
