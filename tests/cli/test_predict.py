"""``tuner predict`` as people call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

import tuner
from tests.study.finals import train_mine
from tuner.cli.main import main
from tuner.datasets.prepare import prepare
from tuner.datasets.test_split import load_test


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a results folder with the model ``mine`` of the digits."""
    return train_mine(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, with the first test digit in several forms."""
    monkeypatch.chdir(tmp_path)
    digit = Image.fromarray(load_test(prepare("digits"))[0][0, 0])
    digit.save("digit.png")
    digit.convert("RGBA").save("colour.png")
    digit.resize((80, 60)).save("large.png")
    Path("text.png").write_text("no image")
    return tmp_path


def predict(trained: Path, *words: str) -> int:
    return main(["predict", "mine", *words, "--results", str(trained)])


def test_an_image_of_the_data_set_has_the_models_probabilities(trained, images, capsys) -> None:
    assert predict(trained, "digit.png", "colour.png", "--top", "10", "--json") == 0
    first, colour = json.loads(capsys.readouterr().out)["images"]
    model = tuner.load_model("mine", results=trained)
    (said,) = model.probabilities(torch.from_numpy(load_test(prepare("digits"))[0][:1].copy())).tolist()
    assert {one["class"]: one["probability"] for one in first["predictions"]} == dict(
        zip("0123456789", said, strict=True)
    )
    values = [one["probability"] for one in first["predictions"]]
    assert values == sorted(values, reverse=True)
    assert colour["predictions"] == first["predictions"], "a grey image in colour is grey again"


def test_another_size_is_resized_and_said(trained, images, capsys) -> None:
    assert predict(trained, "large.png") == 0
    out, err = capsys.readouterr()
    assert err == "large.png: resized from 80x60 to 8x8\n"
    assert out.startswith("large.png: ") and out.count(",") == 2


def test_what_is_no_image_is_told_and_the_others_are_predicted(trained, images, capsys) -> None:
    assert predict(trained, "text.png", "digit.png", "gone.png") == 2
    out, err = capsys.readouterr()
    assert out.startswith("digit.png: ") and out.count("\n") == 1
    assert "text.png cannot be decoded" in err and "gone.png cannot be decoded as an image; No such file" in err
    assert predict(trained, "text.png", "--json") == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["images"] == [] and json.loads(err)["error"]["code"] == 2
