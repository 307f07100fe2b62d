"""Final trainings on object storage (a real S3 server): what survives their machine, and models found by others."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

import tuner
from tests.storage.server import BUCKET, S3Server, s3
from tests.study.finals import (
    CPU,
    PREPARED,
    Heard,
    recipe,
    run,
    train_mine,
    training,
    without_times,
    write_finished_search,
)
from tuner.cli.main import main
from tuner.datasets.test_split import load_test
from tuner.facts.errors import ResultsHeldError, UsageError
from tuner.storage.copies import attach
from tuner.storage.objects import Objects
from tuner.study.model_folder import ModelFolder, find_model
from tuner.study.trained_model import TrainedModel

__all__ = ["s3"]


@pytest.fixture
def place(s3: S3Server, tmp_path: Path) -> str:
    return s3.address(tmp_path.name)


def names(place: str) -> list[str]:
    return [stored.name for stored in Objects.at(place).list()]


def test_an_interrupted_training_goes_on_on_another_machine(tmp_path: Path, place: str) -> None:
    whole = run(recipe(tmp_path, epochs=3), seeds=2)
    stored = recipe(tmp_path, epochs=3, results=attach(place))
    trained = []
    for after in (2, 1, 1):
        heard = Heard(interrupt_after=after)
        with pytest.raises(KeyboardInterrupt):
            run(stored, 2, heard)
        trained += heard.epochs
        assert names(place) and not any(name.startswith("models/mine/") for name in names(place))
        shutil.rmtree(attach(place))  # nothing of the machine is left
        attach(place).mkdir()
    last = Heard()
    folder = run(stored, 2, last)
    assert trained + last.epochs == [1, 2, 3, 1, 2, 3], "no epoch is trained twice"
    assert without_times(folder.metrics())["seeds"] == without_times(whole.metrics())["seeds"]
    assert names(place) == [f"models/mine/{file}" for file in ("config.json", "metrics.json", "model.safetensors")]


def test_a_training_that_was_asleep_replaces_nothing_of_the_one_that_took_over(tmp_path: Path, place: str) -> None:
    class TakenOver(Heard):
        """Another process takes the training over after its first epoch."""

        def epoch_ended(self, report):
            super().epoch_ended(report)
            Objects.at(place).put("models/.mine/lease.json", b'{"writer": "another"}')
            self.before = contents(place)

    heard = TakenOver()
    with pytest.raises(ResultsHeldError, match=r"models/\.mine was taken over by another tuner train"):
        run(recipe(tmp_path, epochs=3, results=attach(place)), heard=heard)
    assert heard.epochs == [1] and contents(place) == heard.before


def contents(place: str) -> dict[str, bytes | None]:
    return {name: Objects.at(place).get(name) for name in names(place)}


def test_a_model_is_found_from_elsewhere(tmp_path: Path, place: str) -> None:
    made = run(recipe(tmp_path, results=attach(place)))
    accuracy = made.metrics()["seeds"][0]["test"]["accuracy"]
    images, labels = load_test(PREPARED)
    shutil.rmtree(attach(place))
    for model in (
        tuner.load_model("mine", results=place),
        tuner.load_model(f"{place}/models/mine"),
        TrainedModel.load(find_model("mine", attach(place)), CPU),
    ):
        assert (model.probabilities(torch.from_numpy(images)).argmax(1).numpy() == labels).mean() == accuracy
    with pytest.raises(UsageError, match=r"no model in 'yours'.*there are mine"):
        find_model("yours", attach(place))


def test_other_settings_and_restart_are_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(recipe(tmp_path, results=attach(place)), heard=Heard(interrupt_after=1))
    address = f"s3://{BUCKET}/{tmp_path.name}/models"
    said = rf"{address}/mine is an unfinished model of other settings: .*; remove {address}/\.mine to train anew"
    with pytest.raises(UsageError, match=said):
        run(recipe(tmp_path, lr=0.2, results=attach(place)))
    folder = run(recipe(tmp_path, results=attach(place)))
    with folder.writer(), pytest.raises(UsageError, match=f"--restart moves nothing on object storage; .*{address}"):
        folder.set_aside()
    assert ModelFolder(folder.path).finished


def test_more_seeds_are_added_to_a_stored_model(tmp_path: Path, place: str) -> None:
    run(recipe(tmp_path, results=attach(place)))
    shutil.rmtree(attach(place))
    heard = Heard()
    work = training(recipe(tmp_path, results=attach(place)), heard)
    with work.folder.writer():
        work.run(2)
    assert heard.seeds == [1]
    assert [seed["seed"] for seed in work.folder.metrics()["seeds"]] == [0, 1]


def test_the_commands_train_export_and_evaluate(tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]) -> None:
    train_mine(tmp_path, place, "--export", "pt2")
    assert f"model  {place}/models/mine\n       {place}/models/mine/model.pt2\n" in capsys.readouterr().out
    assert "models/mine/model.pt2" in names(place)
    for words in (["mine", "--results", place], [f"{place}/models/mine"]):
        assert main(["evaluate", *words, "--data", "digits"]) == 0
        assert "on digits, test split, 359 images" in capsys.readouterr().out
    Image.new("L", (8, 8)).save(tmp_path / "dark.png")
    assert main(["predict", "mine", str(tmp_path / "dark.png"), "--results", place]) == 0
    assert "dark.png: " in capsys.readouterr().out
    assert main(["evaluate", "mine", "--results", f"{place}-not", "--data", "digits"]) == 2
    assert "no model in 'mine'" in capsys.readouterr().err


def test_the_best_trial_of_a_stored_search_becomes_a_model(
    tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_finished_search(tmp_path)
    for name in ("search.json", "leaderboard.parquet", "epochs.parquet"):
        Objects.at(place).upload(f"demo/{name}", folder / name)
    words = ["--from", "demo", "--rank", "1", "--results", place, "--progress", "none"]
    assert main(["train", *words]) == 0
    assert f"model  {place}/demo/models/1\n" in capsys.readouterr().out
    assert main(["train", *words]) == 0
    assert f"{place}/demo/models/1 is finished: nothing was trained; anew: remove it first\n" in capsys.readouterr().err
    with pytest.raises(UsageError, match=r"no model in 'demo/0'.*there are demo/1"):
        find_model("demo/0", attach(place))
