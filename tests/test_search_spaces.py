"""The shipped search files are good, and run: at a tiny size here, as they are in results/published."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import torch
import torchvision

from tuner.facts.records import State
from tuner.hyperparameters.table import FIELDS, TRAINABLES
from tuner.search.messages import Assignment
from tuner.search.proposer import Proposer
from tuner.space.domains import Constant
from tuner.space.read import read_search_file
from tuner.study.preparation import job_of, prepare_data, prepare_weights
from tuner.study.worker import Attempt

FILES = sorted(Path("search_spaces").rglob("*.yaml"))

TINY = [
    *("--set", "dataset=synthetic", "--set", "validation=100", "--set", "train_images=200"),
    *("--set", "parameters.epochs=1", "--set", "scheduler.type=none"),
    *("--set", "cpus_per_trial=1", "--set", "gpus_per_trial=0"),
]

#: Run as people run them; the trials of the others alone. These are run as they are, further below.
COMMANDS = ["architecture", "cifar10", "finetune"]
RUN = {*COMMANDS, "quickstart", "init", "combined"}

#: What else makes a file tiny.
TINIER = {
    "architecture": ["--set", "precision=float32", "--set", "train_images=64"],  # float16 is slow on a CPU
    "regularization": ["--set", "train_images=64"],
    "finetune": ["--set", "image_size=32"],
    "optimization": ["--set", "train_images=64"],
}

#: What no shipped file searches, and why.
NOT_SEARCHED = {
    "epochs": "the budget of every trial, on which the rungs stand",
    "compile": "changes how fast a network trains, not how well",
    "pretrained": "networks with weights and without have other learning rates: finetune.yaml is a file of its own",
}

#: Exercise to how many configurations with different seeds it compares: all of them are tried.
CASES = {
    "activations": 9,
    "combined": 2,
    "dropout": 5,
    "init": 4,
    "norms": 12,
    "optimizers": 12,
    "penalties": 4,
    "schedules": 10,
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_is_good_and_warns_of_nothing(path: Path) -> None:
    file = read_search_file(path, trainables=TRAINABLES)
    assert file.warnings == ()
    assert file.name == path.stem


def test_every_hyperparameter_is_searched_somewhere() -> None:
    spaces = [read_search_file(path, trainables=TRAINABLES).space for path in FILES]
    searched, named = set(), set()
    for space in spaces:
        named |= space.parameters.keys()
        for name, parameter in space.parameters.items():
            if not all(isinstance(item.domain, Constant) for item in parameter.alternatives):
                searched.add(name)
    assert FIELDS.keys() - searched == NOT_SEARCHED.keys()
    assert NOT_SEARCHED.keys() <= named


@pytest.mark.parametrize("path", sorted(Path("search_spaces/exercises").glob("*.yaml")), ids=lambda path: path.stem)
def test_an_exercise_tries_every_case_with_every_seed(path: Path) -> None:
    file = read_search_file(path, trainables=TRAINABLES)
    possible = [config for config in file.space.configurations() if file.space.allows(config)]
    assert len(possible) == file.search.trials == CASES[path.stem] * len({config["seed"] for config in possible})


def run(path: Path, results: Path, *arguments: str) -> pd.DataFrame:
    """Run a search file and return its leaderboard."""
    done = subprocess.run(
        [sys.executable, "-m", "tuner", "search", str(path), "--results", str(results), *arguments],
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return pd.read_parquet(results / path.stem / "leaderboard.parquet")


def write_weights(path: Path) -> None:
    """Write what is laid out as torchvision's weights are, and of no worth."""
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), path)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", COMMANDS)
def test_it_runs_at_a_tiny_size(name: str, tmp_path: Path) -> None:
    options = [*TINY, "--trials", "2", *TINIER.get(name, [])]
    if name == "finetune":
        write_weights(tmp_path / "weights.pth")
        options += ["--set", f"weights={tmp_path / 'weights.pth'}"]
    board = run(Path(f"search_spaces/{name}.yaml"), tmp_path, *options)
    assert list(board["state"]) == ["completed", "completed"]


@pytest.fixture
def threads() -> Iterator[None]:
    """A trial sets how many threads its process has."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path in FILES if path.stem not in RUN], ids=lambda path: path.stem)
def test_its_trials_run_at_a_tiny_size(path: Path, tmp_path: Path, threads: None) -> None:
    """As a worker runs them, without the driver and Ray, which are the same for every file."""
    overrides = [word for word in [*TINY, *TINIER.get(path.stem, [])] if word != "--set"]
    file = read_search_file(path, overrides=overrides, trainables=TRAINABLES)
    proposer = Proposer(file.space, algorithm="random", seed=file.search.seed, goal=file.metric.goal)
    job = job_of(file, tmp_path, prepare_data(file, None), prepare_weights(file, None))
    for number in range(3):
        config = {"seed": number, **proposer.propose(number).config}
        attempt = Attempt(job, Assignment(number, 1, config))
        said = [attempt.step(), attempt.step()]
        attempt.close()
        assert said[0].report is not None, said[0]
        assert said[1].ended is not None and said[1].ended.state is State.COMPLETED, said[1]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_initial_weights_decide_whether_a_deep_network_learns(tmp_path: Path) -> None:
    scores = run(Path("search_spaces/exercises/init.yaml"), tmp_path).groupby("init")["score"]
    assert scores.max()[["zeros", "uniform"]].max() < 0.2
    assert scores.min()[["xavier_normal", "kaiming_normal"]].min() > 0.85


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_everything_at_once_beats_nothing(tmp_path: Path) -> None:
    board = run(Path("search_spaces/exercises/combined.yaml"), tmp_path)
    means = board.groupby("norm")[["score", "generalization_gap"]].mean()
    assert means["score"]["batch"] > means["score"]["none"] + 0.02
    assert means["generalization_gap"]["batch"] < means["generalization_gap"]["none"] - 0.02


def test_the_quickstart_trains_models_that_are_good(tmp_path: Path) -> None:
    board = run(Path("search_spaces/quickstart.yaml"), tmp_path, "--trials", "6")
    assert board["val_accuracy"].max() > 0.9
    assert (board["train_seconds"] > 0).all() and set(board["state"]) <= {"completed", "stopped"}
