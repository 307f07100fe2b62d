"""``tuner evaluate`` as people call it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.study.finals import train_mine
from tuner.cli.main import main
from tuner.datasets.prepare import prepare
from tuner.datasets.test_split import load_test
from tuner.study.model_folder import find_model


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a results folder with the model ``mine`` of the digits."""
    return train_mine(tmp_path_factory.mktemp("trained"))


def write_images(root: Path, names: dict[int, str], *, size: int = 8, mode: str = "L", split: str = "") -> None:
    """Write the first test digits of some classes as class folders, under other names if wanted."""
    images, labels = load_test(prepare("digits"))
    for label, name in names.items():
        folder = root / split / name
        folder.mkdir(parents=True)
        for index in np.flatnonzero(labels == label)[:20]:
            image = Image.fromarray(images[index, 0]).resize((size, size)).convert(mode)
            image.save(folder / f"{index}.png")


def evaluate(trained: Path, *words: str) -> int:
    return main(["evaluate", "mine", "--results", str(trained), *words])


def test_the_test_split_gives_what_train_said(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(trained, "--data", "digits", "--json") == 0
    record = json.loads(capsys.readouterr().out)
    said = json.loads((trained / "models/mine/metrics.json").read_text())["seeds"][0]["test"]
    assert {name: record[name] for name in said} == said
    assert (record["version"], record["split"]) == (1, "test")


def test_people_see_scores_classes_and_confusion(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate(trained, "--data", "digits", "--split", "train") == 0
    out = capsys.readouterr().out
    assert "mine on digits, train split, 1,438 images" in out
    for words in ("accuracy", "calibration error", "precision", "true class (rows)"):
        assert words in out


def test_classes_are_matched_by_name_and_may_be_fewer(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_images(tmp_path, {7: "7", 3: "3"})
    assert evaluate(trained, "--data", str(tmp_path), "--json") == 0
    record = json.loads(capsys.readouterr().out)
    support = {one["name"]: one["support"] for one in record["classes"]}
    assert (support["3"], support["7"], sum(support.values())) == (20, 20, 40)
    assert record["accuracy"] > 0.6, "in the data set 3 has the label 0, in the model 3"
    assert record["split"] == "train"
    assert evaluate(trained, "--data", str(tmp_path)) == 0
    assert f"mine on {tmp_path}, all 40 images\n" in capsys.readouterr().out


def test_a_folder_with_a_test_part_is_measured_on_that(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_images(tmp_path, {1: "1", 2: "2"}, split="train")
    write_images(tmp_path, {2: "2"}, split="test")
    assert evaluate(trained, "--data", str(tmp_path), "--json") == 0
    assert json.loads(capsys.readouterr().out)["images"] == 20


@pytest.mark.parametrize(("names", "split"), [({3: "3"}, ""), ({3: "3", 7: "7"}, "test")])
def test_one_class_alone_or_a_test_folder_alone_is_enough(trained, tmp_path, capsys, names, split) -> None:
    write_images(tmp_path, names, split=split)
    assert evaluate(trained, "--data", str(tmp_path), "--json") == 0
    assert json.loads(capsys.readouterr().out)["images"] == 20 * len(names)


@pytest.mark.parametrize(
    ("names", "form", "said"),
    [
        ({1: "1", 2: "two"}, {}, "the model does not know the class two; it knows 0, 1, 2"),
        ({1: "one", 2: "two"}, {}, "does not know the classes one, two"),
        ({1: "a\x1b[31m\nb"}, {}, "does not know the class a [31m b; it knows 0, 1"),
        ({1: "1", 2: "2"}, {"size": 9}, "the images are 9x9 pixels and greyscale, and the model takes 8x8 pixels"),
        ({1: "1", 2: "2"}, {"mode": "RGB"}, "the images are 8x8 pixels and RGB"),
    ],
)
def test_what_does_not_fit_the_model_is_named(trained, tmp_path, capsys, *, names, form, said) -> None:
    write_images(tmp_path, names, **form)
    assert evaluate(trained, "--data", str(tmp_path)) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--data", "gone"], "'gone' is neither a folder nor a data set"),
        (["--data", ".", "--root", "."], "--root goes with a data set's name"),
        ([], "required: --data"),
    ],
)
def test_no_such_data_is_one_sentence(trained, capsys, words, said) -> None:
    assert evaluate(trained, *words) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1


@pytest.mark.parametrize("text", ["a-b/1", "a-b-1", "mine-2", "results/a-b/models/1"])
def test_a_model_is_found_by_name_and_number(tmp_path, monkeypatch, text) -> None:
    monkeypatch.chdir(tmp_path)
    for place in ("a-b/models/1", "models/mine-2"):
        (tmp_path / "results" / place).mkdir(parents=True)
        (tmp_path / "results" / place / "config.json").touch()
    assert find_model(text, Path("results")).path.parts[-1] == ("mine-2" if text == "mine-2" else "1")


def test_no_such_model_lists_those_that_there_are(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "other", "--data", "digits", "--results", str(trained)]) == 2
    assert "no model in 'other'" in (err := capsys.readouterr().err) and "there are mine" in err
    assert main(["evaluate", str(trained / "models/mine"), "--data", "digits", "--json"]) == 0
