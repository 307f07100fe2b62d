"""``tuner train`` as people call it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.study.finals import write_config, write_finished_search
from tuner.cli.main import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(*words: str) -> int:
    return main(["train", *words])


def test_the_best_trial_of_a_search_becomes_a_model(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_finished_search(folder / "results")
    assert train("--from", "demo", "--rank", "1", "--export", "pt2") == 0
    out, err = capsys.readouterr()
    assert "demo-1, seed 1, on the 359 images of the test split" in out
    assert "results/demo/models/1\n" in out and "results/demo/models/1/model.pt2" in out
    assert "seed 1, epoch 2/2: train_loss" in err
    names = {path.name for path in (folder / "results/demo/models/1").iterdir()}
    assert names == {"model.safetensors", "config.json", "metrics.json", "model.pt2"}
    assert str(folder) not in (folder / "results/demo/models/1/config.json").read_text(), "no paths in results"


def test_a_finished_model_is_shown_again_and_nothing_is_trained(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_finished_search(folder / "results")
    assert train("--trial", "0") == 0
    first = capsys.readouterr().out
    assert train("--trial", "0", "--progress", "none") == 0
    again, err = capsys.readouterr()
    assert again == first
    assert err == "results/demo/models/0 is finished: nothing was trained; anew: --restart\n"


def test_several_seeds_have_a_mean_and_an_interval(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_config(folder)
    words = ["--config", "mine.yaml", "--set", "dataset=digits", "--seeds", "3", "--progress", "none"]
    assert train(*words) == 0
    assert "95 % interval of the mean" in capsys.readouterr().out
    assert train(*words, "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["version"], record["model"], record["folder"]) == (1, "mine", "results/models/mine")
    accuracies = [seed["test"]["accuracy"] for seed in record["seeds"]]
    assert record["summary"]["accuracy"]["mean"] == pytest.approx(sum(accuracies) / 3)


def test_restart_keeps_the_old_model_aside(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_config(folder)
    words = ["--config", "mine.yaml", "--set", "dataset=digits"]
    assert train(*words) == 0
    assert train(*words, "--set", "lr=0.2") == 2
    assert "config.lr (0.1, now 0.2)" in capsys.readouterr().err
    assert train(*words, "--set", "lr=0.2", "--restart") == 0
    assert "moved the old model to results/models/mine.1" in capsys.readouterr().err
    assert (folder / "results/models/mine.1/model.safetensors").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--from", "demo"], "one of the arguments --rank --trial --config is required"),
        (["--rank", "1", "--trial", "0"], "not allowed with"),
        (["--rank", "0"], "must be a whole number from 1 on"),
        (["--rank", "1", "--seeds", "0"], "must be a whole number from 1 on"),
        (["--from", "demo", "--config", "mine.yaml"], "leave one out"),
        (["--from", "dem", "--rank", "1"], "did you mean 'demo'?"),
        (["--config", "gone.yaml"], "gone.yaml cannot be read"),
        (["--rank", "1", "--root", "."], "'root' has no meaning for digits"),
        (["--config", "mine.yaml", "--set", "dataset=digits", "--set", "early_stop_patience=2"], "data.validation"),
        (["--rank", "1", "--threads", "0"], "must be a whole number from 1 to 1024"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    write_finished_search(folder / "results")
    write_config(folder)
    assert train(*words) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err and err.count("\n") == 1
    assert not list(folder.glob("results/**/model.safetensors"))


def test_other_images_than_the_searchs_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    search = write_finished_search(folder / "results")
    described = json.loads((search / "search.json").read_text())
    (search / "search.json").write_text(json.dumps({**described, "data": {"fingerprint": "0123456789abcdef"}}))
    assert train("--rank", "1") == 2
    assert "not the one that this search began with" in capsys.readouterr().err
    assert not (search / "models").exists()


def test_a_missing_exporter_is_named_before_anything_is_trained(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_finished_search(folder / "results")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert train("--rank", "1", "--export", "onnx") == 2
    assert "--export needs onnx and onnxscript: pip install 'tuner[export]'" in capsys.readouterr().err
    assert not (folder / "results/demo/models").exists()


def test_a_place_that_cannot_be_written_is_one_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_config(folder)
    (folder / "results").mkdir()
    (folder / "results/models").write_text("in the way")
    assert train("--config", "mine.yaml", "--set", "dataset=digits") == 6
    assert "results/models/.mine cannot be written" in (err := capsys.readouterr().err) and err.count("\n") == 1


#: Enough for a machine that looks late; two seconds of training.
EPOCHS = 40


class TrainProcess:
    """``tuner train`` as a process of its own, with enough epochs to be interrupted in."""

    def __init__(self, *words: str) -> None:
        write_config(Path(), epochs=EPOCHS)
        command = ["train", "--config", "mine.yaml", "--set", "dataset=digits", "--threads", "1", *words]
        self.process = subprocess.Popen(
            # A shell that runs the tests in its background lets them, and what they start, ignore Ctrl-C.
            ["env", "--default-signal=INT", sys.executable, "-m", "tuner", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            text=True,
        )
        self.lines = Path("results/models/.mine/seed-0/epochs.jsonl")

    def until_epochs(self, count: int) -> None:
        deadline = time.monotonic() + 200
        while not self.lines.exists() or self.lines.read_text().count("\n") < count:
            assert self.process.poll() is None and time.monotonic() < deadline, self.process.communicate()[1]
            time.sleep(0.01)

    def end(self, number: signal.Signals) -> tuple[int, str, str]:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=200)
        return self.process.returncode, out, err


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow), (signal.SIGKILL, -9)],
)
def test_the_same_command_goes_on_after_a_signal(
    folder: Path, capsys: pytest.CaptureFixture[str], number: signal.Signals, code: int
) -> None:
    process = TrainProcess("--restart")
    process.until_epochs(3)
    ended, out, err = process.end(number)
    assert (ended, out) == (code, "")
    command = "tuner train --config mine.yaml --threads 1 --set dataset=digits"
    if number is not signal.SIGKILL:
        assert err.endswith(f"interrupted; go on with: {command}\n")
    done = process.lines.read_text().count("\n")
    assert main(shlex.split(command)[1:]) == 0
    first = int(capsys.readouterr().err.split("epoch ")[1].split("/")[0])
    assert first in (done, done + 1) and first > 1
    metrics: dict[str, Any] = json.loads(Path("results/models/mine/metrics.json").read_text())
    assert [epoch["epoch"] for epoch in metrics["seeds"][0]["epochs"]] == list(range(1, EPOCHS + 1))


def test_two_at_once_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    process = TrainProcess()
    process.until_epochs(1)
    try:
        assert train("--config", "mine.yaml", "--set", "dataset=digits") == 5
        assert "held by another tuner train" in capsys.readouterr().err
    finally:
        process.end(signal.SIGKILL)
