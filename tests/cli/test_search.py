"""What ``tuner search`` says; how it runs is tested in ``tests/study``."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from tests.leaderboard.logs import NOON, trial, write_search
from tests.leaderboard.test_rung_correlation import judged
from tests.study.finals import write_finished_search
from tuner.cli.main import main
from tuner.cli.search import _next_commands, _print_rungs, configure, print_result, read_file, resume_command
from tuner.facts.errors import ExitCode
from tuner.facts.ray_job import JOB_VARIABLE
from tuner.facts.records import State
from tuner.hyperparameters.table import TRAINABLES
from tuner.journal.events import Open
from tuner.space.read import read_search_file
from tuner.study.runner import Outcome


@pytest.mark.parametrize(
    ("data", "results", "commands"),
    [
        ("digits", "results", ["show demo/1", "confirm demo", "train --from demo --rank 1"]),
        (
            "parquet, root: .",
            "other",
            [
                "show demo/1 --results other",
                "confirm demo --results other --root DIR",
                "train --from demo --rank 1 --results other --root DIR",
            ],
        ),
    ],
)
def test_what_comes_next_can_be_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str, results: str, commands: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = write_finished_search(tmp_path / results)
    Path("demo.yaml").write_text(f"data: {{dataset: {data}}}\nparameters: {{lr: {{values: [0.1, 1.1]}}}}\n")
    file = read_search_file(Path("demo.yaml"), trainables=TRAINABLES)
    assert _next_commands(file, folder) == [f"tuner {command}" for command in commands]


def test_no_trial_to_go_on_with(tmp_path: Path) -> None:
    folder = write_finished_search(tmp_path / "results", [None])
    (tmp_path / "demo.yaml").write_text("parameters: {lr: {values: [0.1, 1.1]}}\n")
    assert _next_commands(read_search_file(tmp_path / "demo.yaml", trainables=TRAINABLES), folder) == []


@pytest.mark.parametrize(
    ("in_job", "said"), [(False, "go on with: tuner search s.yaml"), (True, "submitted again, it goes")]
)
def test_in_a_job_nobody_is_told_to_type_the_jobs_own_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], in_job: bool, said: str
) -> None:
    monkeypatch.delenv(JOB_VARIABLE, raising=False)
    if in_job:
        monkeypatch.setenv(JOB_VARIABLE, "{}")
    parser = argparse.ArgumentParser()
    configure(parser)
    args = parser.parse_args(["s.yaml", "--resume"])
    (tmp_path / "demo.yaml").write_text("parameters: {lr: {values: [0.1, 1.1]}}\n")
    file = read_search_file(tmp_path / "demo.yaml", trainables=TRAINABLES)
    outcome = Outcome(write_finished_search(tmp_path), "stopped", ExitCode.OK)
    print_result(outcome, file, args, resume_command(args))
    assert f"stopped, as 'tuner stop' asked; {said}" in capsys.readouterr().err


def test_images_of_ones_own_are_named_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "demo.yaml").write_text("data: {dataset: folder}\nparameters: {lr: {values: [0.1, 1.1]}}\n")
    words = ["check", str(tmp_path / "demo.yaml"), "--samples", "0"]
    assert main(words) == 2
    assert "'folder' needs 'root'" in capsys.readouterr().err
    assert main([*words, "--root", str(tmp_path)]) == 0


def test_rungs_that_do_not_rank_are_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "demo.yaml").write_text("parameters: {lr: {values: [0.1, 1.1]}}\n")
    file = read_search_file(tmp_path / "demo.yaml", trainables=TRAINABLES)
    rising = [[0.01 * n, 0.1 + 0.02 * n] for n in range(12)]
    for name, curves in (("good", rising), ("bad", [[0.1 * (n % 2), last] for n, (_, last) in enumerate(rising)])):
        events = [event for n, scores in enumerate(curves) for event in judged(n, scores, [1])]
        folder = write_search(tmp_path / name, [Open(at=NOON, slots=1, trials=12), *events])
        _print_rungs(folder, file)
    stopped = [event for n in range(12, 15) for event in trial(n, [0.0], State.STOPPED)]
    write_search(tmp_path / "stopped", [Open(at=NOON, slots=1, trials=15), *events, *stopped])
    _print_rungs(tmp_path / "stopped", file)
    good, bad, _, warning = capsys.readouterr().err.splitlines()
    assert good.startswith("rank correlation with the final score: at epoch 1 1.00 (")
    assert bad.startswith("rank correlation with the final score: at epoch 1 0.1")
    assert "epoch 1 is a poor judge" in warning and "a larger scheduler.grace_period" in warning


SEVERAL = ["--warm-start", "first", "second"]


@pytest.mark.parametrize(
    "words",
    [
        ["space.yaml", *SEVERAL],
        [*SEVERAL, "space.yaml"],
        [*SEVERAL, "space.yaml", "--trials", "3"],
        [*SEVERAL, "--trials", "3", "space.yaml"],
        ["--warm-start", "first", "space.yaml", "--warm-start", "second"],
    ],
)
def test_the_file_stands_before_or_after_the_names_of_earlier_searches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("space.yaml").write_text("parameters: {lr: {values: [0.1, 1.1]}}\n")
    parser = argparse.ArgumentParser()
    configure(parser)
    args = parser.parse_intermixed_args(words)
    assert list(read_file(args).search.warm_start) == ["first", "second"]
    assert resume_command(args).startswith("tuner search space.yaml ")
    assert resume_command(args).endswith(" --warm-start first second --resume")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["search"], "no search file is given: tuner search FILE ..."),
        (["search", "--warm-start", "a", "b"], "no search file is given: tuner search FILE --warm-start a b"),
        (["submit", "--warm-start", "a"], "no search file is given: tuner submit FILE --warm-start a"),
        (["search", "--warm-start", "space.yaml"], "names no search: tuner search space.yaml --warm-start NAME"),
        (["search", "--trails", "3", "space.yaml"], "unrecognized arguments: --trails"),
        (["search", "--", "--odd.yaml"], "--odd.yaml"),
    ],
)
def test_a_file_that_is_not_there_is_asked_for_in_the_right_order(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("space.yaml").touch()
    assert main(words) == ExitCode.USAGE
    assert said in " ".join(capsys.readouterr().err.split())
