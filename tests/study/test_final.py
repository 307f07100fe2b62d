"""The final training: which images, which weights, which seeds, what is written, and that no kill loses anything."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torchvision.models import shufflenet_v2_x0_5

import tuner
from tests.study.finals import (
    CPU,
    PREPARED,
    Heard,
    recipe,
    run,
    training,
    without_times,
    write_config,
    write_finished_search,
)
from tuner.datasets.test_split import load_test
from tuner.facts.errors import ResultsDamagedError, ResultsHeldError, UsageError
from tuner.study.export import FORMS, OUTPUT, export
from tuner.study.final import TrainingEndedError
from tuner.study.final_images import final_images
from tuner.study.model_folder import ModelFolder
from tuner.study.preparation import prepare_data, prepare_weights
from tuner.study.recipe import from_file, from_search
from tuner.study.summary import summary
from tuner.study.trained_model import TrainedModel


@pytest.mark.parametrize(
    ("changes", "overrides", "trained_on", "held_out"),
    [
        ({}, [], 1438, 0),
        ({}, ["train_images=500"], 800, 0),
        ({"early_stop_patience": 5}, [], 1138, 300),
        ({"schedule": "plateau"}, ["train_images=500"], 500, 300),
    ],
)
def test_all_images_are_trained_on_unless_some_decide(tmp_path, changes, overrides, trained_on, held_out):
    made = recipe(tmp_path, *overrides, **changes)
    data = final_images(made, PREPARED, CPU)
    assert (len(data.train_labels), len(data.validation_labels)) == (trained_on, held_out)
    description = run(made).description()
    assert (description["trained_on"], description["held_out"]) == (trained_on, held_out)
    assert description["normalization"]["mean"] == data.mean.tolist()


def test_the_model_in_the_folder_is_the_one_that_was_tested(tmp_path):
    folder = run(recipe(tmp_path), seeds=2)
    first, second = folder.metrics()["seeds"]
    assert (first["seed"], second["seed"]) == (0, 1)
    assert first["test"] != second["test"]
    images, labels = load_test(PREPARED)
    said = TrainedModel.load(folder, CPU).probabilities(torch.from_numpy(images)).argmax(1).numpy()
    assert (said == labels).mean() == first["test"]["accuracy"]
    assert first["test"]["images"] == PREPARED.test_count
    assert first["generalization_gap"] == first["epochs"][-1]["train_accuracy"] - first["test"]["accuracy"]
    assert [epoch["epoch"] for epoch in first["epochs"]] == [1, 2]
    assert [epoch["epoch"] for epoch in first["diagnostics"]] == [1, 2]
    assert not second["diagnostics"], "layers are looked at where the weights are kept"
    assert sorted(path.name for path in folder.path.parent.iterdir()) == ["mine"], "nothing is left beside it"


def test_the_last_weights_are_kept_where_nothing_is_held_out_and_the_best_ones_elsewhere(tmp_path):
    assert run(recipe(tmp_path, epochs=4)).metrics()["seeds"][0]["weights_of_epoch"] == 4
    # The first miss ends it, so that the best epoch is the last but one.
    made = recipe(tmp_path, "name=early", "metric.name=val_loss", epochs=60, early_stop_patience=1)
    seed = run(made).metrics()["seeds"][0]
    assert seed["stop_reason"] == "early_stop"
    assert seed["weights_of_epoch"] == len(seed["epochs"]) - 1


def test_a_model_that_began_with_pretrained_weights_needs_them_no_more(tmp_path):
    torch.save(shufflenet_v2_x0_5(weights=None).state_dict(), file := tmp_path / "weights.pth")
    changes = {"model": "shufflenet_v2_x0_5", "pretrained": True, "freeze_backbone": True, "epochs": 1}
    write_config(tmp_path).write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in changes.items()))
    overrides = ["dataset=synthetic", "train_images=80", "validation=20", f"weights={file}"]
    made = from_file(tmp_path / "mine.yaml", tmp_path, overrides=overrides)
    prepared = prepare_data(made.file, None)
    (weights,) = prepare_weights(made.file, None)
    folder = run(made, prepared=prepared, weights=weights, read_test=None)
    before = torch.load(file)
    file.unlink()
    after = TrainedModel.load(folder, CPU).network.state_dict()
    kept = [name for name in before if name in after and torch.equal(before[name], after[name])]
    assert len(kept) > 0.9 * len(before), "the frozen backbone is the one of the file"
    assert folder.description()["data"]["weights"] == weights.fingerprint


def test_more_seeds_are_added_to_a_finished_model(tmp_path):
    whole = without_times(run(recipe(tmp_path), seeds=3).metrics())
    for seeds, began in [(1, [0]), (1, []), (3, [1, 2]), (2, [])]:
        heard = Heard()
        folder = run(recipe(tmp_path, "name=grown"), seeds, heard)
        assert heard.seeds == began
    grown = without_times(folder.metrics())
    assert grown["seeds"] == whole["seeds"]
    assert grown["summary"] == whole["summary"]


def test_the_test_split_is_read_once_a_seed_and_after_its_last_epoch(tmp_path):
    heard, read_after = Heard(), []

    def read_test():
        read_after.append(len(heard.epochs))
        return load_test(PREPARED)

    run(recipe(tmp_path), 2, heard, read_test=read_test)
    assert read_after == [2, 4]


def test_a_data_set_without_a_test_split_gives_a_model_without_test_scores(tmp_path):
    metrics = run(recipe(tmp_path), read_test=None).metrics()
    assert (metrics["seeds"][0]["test"], metrics["summary"]) == (None, {})


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A model of two seeds that nothing interrupted; tests do not change it."""
    return run(recipe(tmp_path_factory.mktemp("whole"), epochs=3), seeds=2)


@pytest.mark.parametrize("after", [1, 2, 3, 5])
def test_an_interrupted_training_goes_on_where_it_was(tmp_path, whole, after):
    made = recipe(tmp_path, epochs=3)
    heard = Heard(interrupt_after=after)
    with pytest.raises(KeyboardInterrupt):
        run(made, 2, heard)
    assert not ModelFolder(made.folder).finished
    again = Heard()
    folder = run(made, 2, again)
    assert heard.epochs + again.epochs == [1, 2, 3, 1, 2, 3], "no epoch is trained twice"
    assert without_times(folder.metrics())["seeds"] == without_times(whole.metrics())["seeds"]
    assert load_file(folder.path / "model.safetensors").keys() == load_file(whole.path / "model.safetensors").keys()
    for name, weights in load_file(whole.path / "model.safetensors").items():
        assert torch.equal(weights, load_file(folder.path / "model.safetensors")[name])


def test_a_line_that_a_kill_cut_is_forgotten(tmp_path):
    made = recipe(tmp_path, epochs=3)
    with pytest.raises(KeyboardInterrupt):
        run(made, heard=Heard(interrupt_after=2))
    lines = made.folder.with_name(".mine") / "seed-0/epochs.jsonl"
    lines.write_text(lines.read_text() + '{"epoch": 3, "lr_')
    assert [epoch["epoch"] for epoch in run(made).metrics()["seeds"][0]["epochs"]] == [1, 2, 3]


def test_other_settings_are_refused_and_named_finished_or_not(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(recipe(tmp_path), heard=Heard(interrupt_after=1))
    with pytest.raises(UsageError, match=r"an unfinished model of other settings: config.lr \(0.1, now 0.2\)"):
        run(recipe(tmp_path, lr=0.2))
    assert (tmp_path / "models/.mine/seed-0/checkpoint").is_dir(), "what was interrupted can still go on"
    run(recipe(tmp_path))
    with pytest.raises(UsageError, match=r"a model of other settings: data.split_seed \(0, now 3\)"):
        run(recipe(tmp_path, "split_seed=3"))
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["mine"], "what is refused leaves no trace"


def test_another_metric_is_another_model_where_it_chooses_the_epoch(tmp_path):
    run(recipe(tmp_path, "name=early", early_stop_patience=5))
    with pytest.raises(UsageError, match=r"a model of other settings: metric.* now .*val_loss"):
        run(recipe(tmp_path, "name=early", "metric.name=val_loss", early_stop_patience=5))
    run(recipe(tmp_path))
    heard = Heard()
    run(recipe(tmp_path, "metric.name=val_loss"), heard=heard)
    assert heard.epochs == [], "without held-out images no epoch is chosen"


def test_set_aside_keeps_the_old_model(tmp_path):
    folder = run(recipe(tmp_path))
    with folder.writer():
        assert folder.set_aside() == tmp_path / "models/mine.1"
        training(recipe(tmp_path, lr=0.2)).run(1)
    assert ModelFolder(tmp_path / "models/mine.1").description()["config"]["lr"] == 0.1
    assert folder.description()["config"]["lr"] == 0.2


def test_divergence_is_one_sentence_and_leaves_no_model(tmp_path):
    made = recipe(tmp_path, lr=1000.0, weight_decay=1.0)
    with pytest.raises(TrainingEndedError, match="seed 0 diverged in epoch 1: "):
        run(made)
    assert not made.folder.exists()


_HOLDER = """
import sys, time
from pathlib import Path
from tuner.study.model_folder import ModelFolder
from tuner.study.preparation import prepare_data, prepare_weights
with ModelFolder(Path(sys.argv[1])).writer():
    print("held", flush=True)
    time.sleep(60)
"""


def test_two_at_once_are_refused(tmp_path):
    path = tmp_path / "models/3"
    with subprocess.Popen([sys.executable, "-c", _HOLDER, str(path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        with pytest.raises(ResultsHeldError, match="held by another tuner train"), ModelFolder(path).writer():
            pytest.fail("held")
        other.kill()
    with ModelFolder(path).writer():
        pass  # the lock fell with the process


@pytest.mark.parametrize("file", ["model.safetensors", "config.json"])
@pytest.mark.parametrize("content", [b"", b"{}", bytes(100)], ids=["empty", "braces", "zeros"])
def test_a_damaged_model_is_one_sentence(tmp_path, file, content):
    folder = run(recipe(tmp_path))
    (folder.path / file).write_bytes(content)
    with pytest.raises(ResultsDamagedError):
        TrainedModel.load(folder, CPU)


@pytest.mark.parametrize(
    "changes",
    [
        {"config": None},
        {"config": ["lr"]},
        {"config": {"lr": "high"}},
        {"classes": []},
        {"classes": "0123456789"},
        {"classes": list(range(10))},
        {"classes": ["0"] * 10},
        {"image_shape": None},
        {"image_shape": [1, 8]},
        {"image_shape": [1, 8, True]},
        {"image_shape": [0, 8, 8]},
        {"normalization": None},
        {"normalization": [0.5, 0.5]},
        {"normalization": {"mean": [0.5]}},
        {"normalization": {"mean": [0.5], "std": [0.5, 0.5]}},
        {"normalization": {"mean": [0.5], "std": [0.0]}},
        {"normalization": {"mean": [math.nan], "std": [0.5]}},
        {"normalization": {"mean": ["0.5"], "std": [0.5]}},
    ],
    ids=str,
)
def test_a_description_that_cannot_be_true_is_one_sentence(tmp_path, whole, changes):
    shutil.copytree(whole.path, tmp_path / "mine")
    config = tmp_path / "mine/config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **changes}))
    with pytest.raises(ResultsDamagedError, match=r"model\.safetensors and config\.json make no model: \w") as raised:
        TrainedModel.load(ModelFolder(tmp_path / "mine"), CPU)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["null", "5", '"text"', "[]"])
def test_a_description_that_is_no_object_is_one_sentence(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ResultsDamagedError, match=r"config\.json is damaged: it holds no JSON object"):
        ModelFolder(tmp_path).description()


@pytest.fixture(scope="module", params=FORMS)
def exported(request, whole, tmp_path_factory):
    """A form, and the file in which the whole model lies in it."""
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, export(TrainedModel.load(whole, CPU), folder, request.param)


def gives_the_same(path: Path, form: str, model: TrainedModel) -> None:
    images = torch.from_numpy(load_test(PREPARED)[0].copy())
    for count in (1, 5, 200):
        said = RUNTIMES[form](path, images[:count])
        torch.testing.assert_close(said.double(), model.probabilities(images[:count]), atol=1e-5, rtol=0)


def test_an_export_gives_the_models_probabilities_for_any_batch(exported, whole):
    form, path = exported
    assert path.name == f"model.{form}"
    gives_the_same(path, form, TrainedModel.load(whole, CPU))


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_an_export_of_another_network(tmp_path, form):
    model = TrainedModel.load(run(recipe(tmp_path, model="resnet9", epochs=1)), CPU)
    gives_the_same(export(model, tmp_path, form), form, model)


def test_an_export_names_no_file_of_this_machine(exported):
    form, path = exported
    package = str(Path(tuner.__file__).parent).encode()
    assert package not in path.read_bytes()
    if form == "pt2":
        with zipfile.ZipFile(path) as archive:
            assert not any(package in archive.read(name) for name in archive.namelist())


def test_the_examples_in_the_docs_run(tmp_path, monkeypatch):
    write_finished_search(tmp_path / "results", [0.5] * 4, name="quickstart")
    work = training(from_search(tmp_path / "results", None, trial=3))
    with work.folder.writer():
        work.run(1)
    export(TrainedModel.load(work.folder, CPU), work.folder.path, "pt2")
    page = (Path(__file__).parents[2] / "docs/models.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    said = []
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        names: dict[str, Any] = {}
        exec(block, names)
        said.append(names["probabilities"].sum(1))
    assert len(said) == 2
    torch.testing.assert_close(torch.cat([one.double() for one in said]), torch.ones(10, dtype=torch.float64))


def _onnx(path: Path, images: torch.Tensor) -> torch.Tensor:
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    assert [item.shape[0] for item in (*session.get_inputs(), *session.get_outputs())] == ["batch", "batch"]
    (said,) = session.run([OUTPUT], {"images": images.numpy()})
    return torch.from_numpy(said)


def _pt2(path: Path, images: torch.Tensor) -> torch.Tensor:
    said: torch.Tensor = torch.export.load(path).module()(images)
    return said


RUNTIMES = {"onnx": _onnx, "pt2": _pt2}


def test_the_interval_is_students():
    from scipy import stats

    values = [0.91, 0.93, 0.92, 0.96]
    scores = [dict.fromkeys(summary_names(), value) for value in values]
    said = summary(scores)["accuracy"]
    low, high = stats.t.interval(0.95, 3, loc=sum(values) / 4, scale=stats.sem(values))
    assert said["low"] == pytest.approx(low) and said["high"] == pytest.approx(high)
    assert said["mean"] == pytest.approx(0.93) and said["std"] == pytest.approx(stats.tstd(values))
    assert summary(scores[:1])["loss"] == {"mean": 0.91, "std": None, "low": None, "high": None}


def summary_names() -> tuple[str, ...]:
    from tuner.study.summary import AVERAGED

    return AVERAGED
