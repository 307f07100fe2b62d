"""``tuner confirm`` as people call it, under a real Ray."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest

from tests.study.comparisons import OWN, finished_search
from tuner.cli.main import main
from tuner.datasets.prepare import prepare
from tuner.journal.events import End
from tuner.journal.log import read_events

SPACE = """
    name: s
    data: {dataset: digits, validation: 200}
    search: {trials: 2, seed: 1, algorithm: random}
    scheduler: {type: none}
    resources: {max_concurrent: 2}
    parameters:
      model: cnn
      width: 8
      epochs: 2
      lr: {values: [0.02, 0.05]}
"""


def tuner(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"TUNER_CACHE": str(folder / "cache"), "COLUMNS": "200"}
    command = [sys.executable, "-m", "tuner", *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=400, check=False
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished search."""
    folder = tmp_path_factory.mktemp("confirm")
    configs = [{"model": "cnn", "width": 8, "epochs": 2, "lr": lr} for lr in (0.05, 0.02)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TUNER_CACHE", str(folder / "cache"))
        finished_search(folder, SPACE, configs, [0.8, 0.7])
    return folder


def test_what_is_printed_and_what_is_kept(folder: Path) -> None:
    done = tuner(folder, "confirm", "s", "--top", "1", "--seeds", "2", "--json")
    assert done.returncode == 0, done.stderr
    record: dict[str, Any] = json.loads(done.stdout)
    assert json.loads((folder / "results/s/confirm.json").read_text()) == record
    rows = [record["default"], *record["trials"]]
    for row in rows:
        assert [run["state"] for run in row["runs"]] == ["completed"] * 2
        assert all(run["epochs_run"] == 2 for run in row["runs"])
        error = row["error"]
        assert error["bias_and_noise"] + error["variance"] == pytest.approx(error["mean_squared_error"])
        assert error["variance"] > 0
    kept = folder / "results/s/confirm"
    assert list((kept / "checkpoints").iterdir()) == []
    probabilities = [np.load(path) for path in (kept / "probabilities").glob("*.npy") if path.name != "labels.npy"]
    assert [array.shape for array in probabilities] == [(record["reserved_images"], 10)] * 4
    splits = prepare("digits", cache=folder / "cache").folder / "splits"
    assert not [path for path in splits.iterdir() if path.is_dir()], "nothing needs them any more"

    # The same again trains nothing, and a table is for people.
    log = (kept / "events.jsonl").read_bytes()
    again = tuner(folder, "confirm", "--top", "1", "--seeds", "2")
    assert again.returncode == 0 and "Ray" not in again.stderr
    assert (kept / "events.jsonl").read_bytes() == log
    assert "bias and noise" in again.stdout and record["verdict"] in again.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seeds", "1"], "--seeds: must be a whole number from 2 on"),
        (["--top", "0"], "--top: must be a whole number"),
    ],
)
def test_what_would_show_nothing_is_refused(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["confirm", "s", *words]) == 2
    assert said in capsys.readouterr().err


#: The three runs that begin first end; those after them wait until a test has seen enough.
WAITING = """
    import pathlib
    import time

    def train(config):
        begun = pathlib.Path("begun")
        with begun.open("a") as file:
            file.write(f"{config}\\n")
        while begun.read_text().splitlines().index(str(config)) > 2 and not pathlib.Path("go").exists():
            time.sleep(0.02)
        yield {"loss": (config["x"] - 0.3) ** 2}
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_interrupted_one_goes_on(tmp_path: Path) -> None:
    """SIGINT is told with the command that goes on; what had ended is not run again."""
    finished_search(tmp_path, OWN, [{"x": 0.4}, {"x": 0.9}], [0.01, 0.36])
    (tmp_path / "mine.py").write_text(dedent(WAITING))
    words = ["confirm", "s", "--top", "2", "--seeds", "4"]
    command = [sys.executable, "-m", "tuner", *words]
    running = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    for line in running.stderr:
        if " completed " in line:
            break
    running.send_signal(signal.SIGINT)
    said = running.stderr.read()
    assert running.wait(200) == 130, said
    assert "go on with: tuner confirm s --top 2 --seeds 4" in said
    before = ends(tmp_path)
    assert 1 <= len(before) < 8
    (tmp_path / "go").touch()
    done = tuner(tmp_path, *words)
    assert done.returncode == 0, done.stderr
    assert ends(tmp_path)[: len(before)] == before and sorted(ends(tmp_path)) == list(range(8))


def ends(folder: Path) -> list[int]:
    """Return the runs that have ended, oldest first."""
    return [event.n for event in read_events(folder / "results/s/confirm") if isinstance(event, End)]
