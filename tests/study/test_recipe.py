"""What `tuner train` trains: a trial as its search had it, or what stands in a file."""

from pathlib import Path

import pytest

from tests.study.finals import CONFIG, write_config, write_finished_search
from tuner.cli.main import main
from tuner.facts.errors import SearchFileError, UsageError
from tuner.hyperparameters.table import resolve
from tuner.study.recipe import from_file, from_search


def test_the_best_trial_with_the_images_of_its_search(tmp_path):
    write_finished_search(tmp_path, [0.7, None, 0.9], data={"train_images": 200, "split_seed": 5})
    recipe = from_search(tmp_path, None, rank=1)
    assert recipe.name == "demo-2"
    assert recipe.folder == tmp_path / "demo/models/2"
    assert recipe.config == resolve({**CONFIG, "lr": 2.1, "seed": 2}).as_config(), "defaults are filled in"
    assert (recipe.data.train_images, recipe.data.split_seed, recipe.data.validation) == (200, 5, 300)
    assert recipe.search is not None
    assert from_search(tmp_path, "demo", trial=1).config["lr"] == 1.1, "a diverged trial may be tried again"


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ({"rank": 3}, "no trial of rank 3; ranks run from 1 to 1"),
        ({"trial": 9}, "no trial 9"),
        ({"rank": 1, "overrides": ["lr=0.5"]}, "--set changes its configuration"),
        ({"rank": 1, "overrides": ["dataset=folder"]}, "'folder' needs 'root'"),
        ({"rank": 1, "overrides": ["validation=x"]}, "'validation' must be an integer"),
    ],
)
def test_what_a_search_does_not_have_is_named(tmp_path, what, said):
    write_finished_search(tmp_path, [0.7, None])
    with pytest.raises(UsageError, match=said):
        from_search(tmp_path, None, **what)


def test_images_of_ones_own_are_where_the_option_says(tmp_path):
    write_finished_search(tmp_path, data={"dataset": "parquet"})
    with pytest.raises(UsageError, match=r"^no result records where parquet images lie; say --root DIR$"):
        from_search(tmp_path, None, rank=1)
    for said in ({"overrides": [f"root={tmp_path}"]}, {"flags": {"data.root": ("--root", str(tmp_path))}}):
        assert from_search(tmp_path, None, rank=1, **said).data.root == str(tmp_path)


def test_no_trial_has_completed_yet(tmp_path):
    write_finished_search(tmp_path, [None])
    with pytest.raises(UsageError, match="no trial has completed yet"):
        from_search(tmp_path, None, rank=1)


def test_a_trainable_of_ones_own_is_not_trained_here(tmp_path):
    write_finished_search(tmp_path, trainable="mine:train")
    with pytest.raises(UsageError, match="mine:train, a function of your own"):
        from_search(tmp_path, None, rank=1)


def test_a_configuration_alone(tmp_path):
    recipe = from_file(write_config(tmp_path), tmp_path, overrides=["dataset=digits", "epochs=5"])
    assert (recipe.name, recipe.folder) == ("mine", tmp_path / "models/mine")
    assert recipe.config == resolve({**CONFIG, "epochs": 5}).as_config()
    assert (recipe.data.dataset, recipe.search) == ("digits", None)
    assert from_file(write_config(tmp_path), tmp_path, overrides=["name=other"]).folder.name == "other"


@pytest.mark.parametrize("form", ["--config", "--search-file"])
def test_what_show_prints_is_the_trial(tmp_path, capsys, form):
    write_finished_search(tmp_path)
    assert main(["show", "1", "--results", str(tmp_path), form]) == 0
    (tmp_path / "shown.yaml").write_text(capsys.readouterr().out)
    recipe = from_file(tmp_path / "shown.yaml", tmp_path)
    assert recipe.config == from_search(tmp_path, "demo", trial=1).config
    assert recipe.data.dataset == ("digits" if form == "--search-file" else "cifar10")


def test_mistakes_in_a_file_have_their_line(tmp_path):
    (tmp_path / "mine.yaml").write_text("model: cnn\nlr: -1\nmomentun: 0.9\n")
    with pytest.raises(SearchFileError) as caught:
        from_file(tmp_path / "mine.yaml", tmp_path)
    text = str(caught.value)
    assert "mine.yaml:2:5: error: 'lr' must be" in text
    assert "mine.yaml:3:1: error: unknown hyperparameter 'momentun'; did you mean 'momentum'?" in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lr: {min: 0.1, max: 1.0}\nwidth: {values: [4, 8]}\nmodel: cnn\n", "leaves lr, width open"),
        ("- lr\n", "a configuration is a mapping"),
        ("", "a configuration is a mapping"),
        ("parameters: {x: 1}\ntrainable: mine:train\nscheduler: {type: none}\n", "not mine:train"),
    ],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, text: str, said: str):
    (tmp_path / "mine.py").write_text("def train(config):\n    yield {}\n")
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(UsageError, match=said):
        from_file(tmp_path / "mine.yaml", tmp_path)
