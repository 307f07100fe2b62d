"""``tuner extend`` and ``tuner add``: a search lives on after it has started, and after it has finished."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import pandas as pd
import pytest

from tests.search.simulation import COMPLETED
from tests.storage.server import S3Server, s3
from tests.study.searches import SPACE as STARTED
from tests.study.searches import TRAINABLE, SearchProcess, assert_exactly_once, history, prepare, search, stored_in
from tuner.cli.main import main
from tuner.facts.errors import SearchFileError
from tuner.facts.records import Origin
from tuner.hyperparameters.table import TRAINABLES
from tuner.journal.events import Ask, Close, End, Open
from tuner.journal.log import open_log
from tuner.leaderboard.info import SearchInfo
from tuner.space.read import read_search_file
from tuner.storage.copies import results_folder
from tuner.study.folder import Folder, portable_settings
from tuner.study.request_files import lasting
from tuner.study.respace import read_change
from tuner.study.resume import finished_by
from tuner.study.spaces import put_space, stages_of, with_all_columns
from tuner.study.stored import stored_search

__all__ = ["s3"]

SPACE = """
    name: s
    trainable: mine:train
    metric: {name: acc, goal: maximize}
    search: {trials: 1, seed: 3}
    scheduler: {type: none}
    parameters:
      x: {min: 0.0, max: 1.0}
      kind: {values: [a, b]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the results folder of a finished search of one trial, in the current folder."""
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path, space=SPACE)
    path = described(tmp_path / "results", Path("space.yaml"))
    with open_log(path) as log:
        log.append(Open(at=1.0, slots=1, trials=1), ASK, ENDED, Close(at=4.0, reason="trials", seconds=3.0))
    return path


ASK = Ask(at=2.0, n=0, config={"x": 0.5, "kind": "a", "seed": 1}, origin=Origin.RANDOM)
ENDED = End(at=3.0, n=0, attempt=1, **vars(COMPLETED))


def described(results: Path, path: Path, overrides: tuple[str, ...] = (), **values: Any) -> Path:
    """Return the folder of a search that has begun and proposed nothing."""
    file = read_search_file(path, overrides, trainables=TRAINABLES)
    folder = results / file.name
    folder.mkdir(parents=True)
    info = SearchInfo.of(file.name, file.metric.name, file.metric.goal, file.space)
    Folder(folder).describe(file, info, None, "2026-01-31T12:00:00+00:00", **values)
    return folder


def test_a_configuration_waits_for_the_next_driver(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = read_search_file(Path("space.yaml"), trainables=TRAINABLES)
    assert finished_by(Folder(folder), file, True, "") == "trials"
    assert main(["add", "x=1", "kind=b", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"version": 1, "search": "s", "config": {"x": 1.0, "kind": "b"}, "taken": False}
    said = " ".join(captured.err.split())
    assert said.endswith("kept and comes first when it goes on: tuner extend s --trials 0")
    assert len(lasting(folder)) == 1
    assert finished_by(Folder(folder), file, True, "") is None
    assert finished_by(Folder(folder), file, False, "") == "trials"  # it is shown and left alone


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["s", "y=1"], "y=1: error: 'y' is not in parameters"),
        (["s", "x=2", "kindd=a"], "kindd=a: error: 'kindd' is not in parameters; did you mean 'kind'?"),
        (["s"], "no configuration is given"),
        (["t", "x=0.5"], "no search 't'"),
    ],
)
def test_what_is_wrong_with_a_configuration_leaves_nothing_behind(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["add", *words]) == 2
    assert said in capsys.readouterr().err
    assert not (folder / "requests").exists()


def test_a_finished_search_is_extended_by_as_many_as_are_said(folder: Path) -> None:
    file = read_search_file(Path("space.yaml"), trainables=TRAINABLES)
    assert portable_settings(file)["search"]["trials"] == 1
    assert finished_by(Folder(folder), file, True, "", more=1) is None


def test_a_search_that_a_limit_ended_goes_on_with_a_larger_one(folder: Path) -> None:
    with open_log(folder) as log:
        log.append(Open(at=5.0, slots=1, trials=9, gpus=0.5), Close(at=6.0, reason="epoch_budget", seconds=1.0))
    for budget, finished in ((0, True), (1, False), (None, False)):
        file = read_search_file(Path("space.yaml"), ["trials=9"], trainables=TRAINABLES)
        file = replace(file, search=replace(file.search, epoch_budget=budget))
        assert (finished_by(Folder(folder), file, True, "") == "epoch_budget") is finished


def test_what_cannot_be_extended(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["extend", "s"]) == 2
    assert main(["extend", "s", "--trials", "-1"]) == 2
    assert main(["extend", "t", "--trials", "1"]) == 2
    assert "no search 't'" in capsys.readouterr().err
    assert main(["extend", "s", "--trials", "1", "--set", "seed=4"]) == 2
    assert "search.seed (3, now 4)" in capsys.readouterr().err
    assert main(["extend", "s", "--trials", "0", "--progress", "none"]) == 0
    assert "results/s is finished: nothing was run; more trials: --trials N\n" in capsys.readouterr().err
    assert main(["extend", "s", "space.yaml", "--trials", "0"]) == 0
    assert "space.yaml changes nothing: s is in that space\n" in capsys.readouterr().err
    Path("new.yaml").write_text(dedent(NEW))
    assert main(["extend", "s", "new.yaml", "--trials", "0"]) == 0
    assert "more trials: --trials N; its space is as it was\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("reason", "words", "said"),
    [
        ("epoch_budget", ["add", "s", "x=1"], "when it goes on: tuner extend s --trials 0 --set epoch_budget=N"),
        (
            "exhausted",
            ["extend", "s", "--trials", "1"],
            "configuration of the space has been tried; another space: --trials N FILE",
        ),
    ],
)
def test_what_would_make_a_search_go_on_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str], reason: str, words: list[str], said: str
) -> None:
    with open_log(folder) as log:
        log.append(Open(at=5.0, slots=1, trials=9), Close(at=6.0, reason=reason, seconds=1.0))
    assert main(words) == 0
    assert said in " ".join(capsys.readouterr().err.split())


def test_what_a_running_search_does_not_take(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("new.yaml").write_text(dedent(NEW))
    with open_log(folder):
        assert main(["extend", "s", "new.yaml", "--trials", "1"]) == 5
        said = " ".join(capsys.readouterr().err.split())
        assert said.endswith("it takes another space when it does not run: tuner pause s")
        for words in (["--set", "max_concurrent=1"], ["--address", "auto"]):
            assert main(["extend", "s", "--trials", "1", *words]) == 2
            assert "s runs, with the settings that it began with" in " ".join(capsys.readouterr().err.split())
    assert not (folder / "requests").exists()


NEW = SPACE.replace("    name: s\n", "").replace("{min: 0.0, max: 1.0}", "{min: 0.4, max: 2.0}")


@pytest.mark.parametrize(
    ("file", "words", "said"),
    [
        (
            NEW + "      w: {min: 0, max: 3}\n",
            [],
            "'w' is new, and nobody knows what the trials so far had: --default w=VALUE",
        ),
        (NEW.replace(" x:", " lr:"), ["--rename", "y=lr"], "the search has no parameter 'y'"),
        (
            NEW.replace(" x:", " lr:"),
            ["--rename", "x=kinds"],
            "'kinds' is not in the new parameters; did you mean 'kind'?",
        ),
        (NEW, ["--rename", "x=kind"], "is another parameter already"),
        (NEW.replace(" x:", " lr:"), ["--rename", "x=lr", "--rename", "x=lr"], "'x' is renamed twice"),
        (
            NEW.replace(" x:", " lr: {min: 0.0, max: 1.0}\n      x:"),
            ["--rename", "x=lr"],
            "'x' is new, and nobody knows what the trials so far had: --default x=VALUE",
        ),
        (NEW, ["--default", "kindd=a"], "no parameter is called 'kindd'; did you mean 'kind'?"),
        (NEW, ["--default", "kind=a"], "'kind' is in both spaces: every trial has a value of its own"),
        (NEW.replace("seed: 3", "seed: 4"), [], "search.seed (3, now 4)"),
        (NEW, ["--rename", "y=x"], "the search has 'x' already, and no 'y': leave this out"),
        (NEW + "    require: [x > 2]\n", [], "no configuration that keeps 'require' was found; s keeps its space"),
        (NEW + "    retires: 2\n", [], "unknown key 'retires'; did you mean 'retries'?"),
    ],
)
def test_another_space_that_does_not_follow_changes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], file: str, words: list[str], said: str
) -> None:
    Path("new.yaml").write_text(dedent(file))
    before = (folder / "search.json").read_bytes()
    assert main(["extend", "s", "new.yaml", "--trials", "2", *words]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert (folder / "search.json").read_bytes() == before


def test_a_search_whose_folder_was_renamed_is_left_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = folder.rename(folder.with_name("copy"))
    before = sorted(path.name for path in copy.iterdir())
    for words in (["extend", "copy", "--trials", "1"], ["add", "copy", "x=0.25"]):
        assert main(words) == 2
        assert "results/copy holds the search s; under this name it can be read" in capsys.readouterr().err
    assert sorted(path.name for path in copy.iterdir()) == before and not folder.exists()


@pytest.mark.parametrize("order", ["s new N", "s N new", "N s new", "new N", "N new", "new s N", "new N s"])
def test_name_file_and_options_stand_in_any_order(folder: Path, capsys: pytest.CaptureFixture[str], order: str) -> None:
    Path("new.yaml").write_text(dedent(NEW))
    words = {"s": ["s"], "new": ["new.yaml"], "N": ["--trials", "2", "--default", "kindd=a"]}
    assert main(["extend", *(word for part in order.split() for word in words[part])]) == 2
    assert "no parameter is called 'kindd'; did you mean 'kind'?" in capsys.readouterr().err


def test_a_changed_space_is_kept_with_the_ones_before_it(folder: Path) -> None:
    Path("new.yaml").write_text(dedent(NEW.replace(" x:", " lr:") + "      w: {values: [1, 2.5]}\n"))
    file, change = read_change(Folder(folder), Path("new.yaml"), [], ["x=lr"], ["w=1"])
    assert change is not None and file.name == "s"
    assert read_change(Folder(folder), Path("space.yaml"), [], [], [])[1] is None  # nothing changed
    put_space(Folder(folder), file, change, Folder(folder).history())
    first, second = stages_of(Folder(folder), file)
    assert (first.first, second.first) == (0, 1)
    assert list(first.space.parameters) == ["x", "kind"] and second.space == file.space
    assert second.change == change
    info = SearchInfo.of(file.name, file.metric.name, file.metric.goal, file.space)
    columns = with_all_columns(info, Folder(folder)).hyperparameters
    assert columns == {"lr": "float64", "kind": "string", "w": "float64"}
    assert stored_search(Folder(folder)).space == file.space
    narrow = file.text.replace("  w: {values: [1, 2.5]}\n", "")
    Path("new.yaml").write_text(narrow)
    third, change = read_change(Folder(folder), Path("new.yaml"), [], [], ["w=1"])
    assert change is not None
    put_space(Folder(folder), third, change, Folder(folder).history())
    assert [stage.first for stage in stages_of(Folder(folder), third)] == [0, 1, 1]
    assert "w" in with_all_columns(info, Folder(folder)).hyperparameters  # what was tried is shown
    Path("new.yaml").write_text(narrow.replace(" lr:", " w:"))
    with pytest.raises(SearchFileError, match="'w' was another parameter already"):
        read_change(Folder(folder), Path("new.yaml"), [], ["lr=w"], [])


def test_what_a_search_was_to_begin_with_goes_on_in_the_new_space(tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    prepare(tmp_path, space=SPACE.replace("seed: 3", "seed: 3, points: [{x: 0.5}, {x: 0.3}, {x: 0.9}]"))
    warm = [{"x": 0.1}, {"x": 0.6, "kind": "a"}]
    folder = described(tmp_path, file, ("warm_start=[proxy]",), warm_points=warm)
    with open_log(folder) as log:
        log.append(Open(at=1.0, slots=1, trials=1), ASK, ENDED)
    file.write_text(dedent(SPACE).replace("seed: 3", "seed: 3, points: [{lr: 0.5}, {lr: 0.3}, {lr: 0.7}]"))
    overrides = ["parameters={lr: {min: 0.2, max: 0.8}, kind: {values: [a, b]}}"]
    new, change = read_change(Folder(folder), file, overrides, ["x=lr"], [])
    assert change is not None and new.search.warm_start == ("proxy",)  # though the file names no search
    put_space(Folder(folder), new, change, Folder(folder).history())
    first, second = stages_of(Folder(folder), new)
    assert (len(first.points), first.warm_points, first.begins) == (3, warm, 0)
    assert list(second.points) == [{"lr": 0.3}, {"lr": 0.7}] and second.begins == 1
    assert second.warm_points == [{"lr": 0.6, "kind": "a"}]
    assert read_change(Folder(folder), file, overrides, [], [])[1] is None
    more = [override.replace("{min: 0.2", "{min: 0.1") for override in overrides]
    third, change = read_change(Folder(folder), file, [*more, "points=[{lr: 0.3}, {lr: 0.15}]"], [], [])
    assert change is not None
    with open_log(folder) as log:
        log.append(replace(ASK, n=1), replace(ASK, n=2), replace(ASK, n=3))
    put_space(Folder(folder), third, change, Folder(folder).history())
    assert list(stages_of(Folder(folder), third)[-1].points) == [{"lr": 0.15}]
    assert not stages_of(Folder(folder), third)[-1].warm_points


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("place", ["folder", "object storage"])
def test_a_search_is_extended_and_given_a_configuration_while_it_runs_and_after_it_has_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], s3: S3Server, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    results = ["--results", "results" if place == "folder" else s3.address("extended")]
    prepare(tmp_path, space=STARTED if place == "folder" else stored_in(results[1]))
    running = SearchProcess(tmp_path, "--trials", "4", "--progress", "lines", epoch_seconds=1.0)
    running.until_epochs(1)
    assert main(["extend", "--trials", "9", *results]) == 0
    assert "s goes on with 9 more trials: 13 in all" in capsys.readouterr().err
    assert main(["add", "s", "x=0.3", *results]) == 0
    assert "s tries this configuration next; 13 trials in all" in capsys.readouterr().err
    code, _, err = running.wait()
    assert code == 0, err
    assert "9 more trials, as 'tuner extend' asked: 13 in all" in err and "[13/13] trial" in err
    assert_exactly_once(tmp_path, 13)
    given = [trial for trial in history(tmp_path).trials.values() if trial.ask.config["x"] == 0.3]
    assert len(given) == 1 and given[0].number < 12 and given[0].ask.origin is Origin.POINT

    assert search(tmp_path, "--resume", "--trials", "4")[0] == 0
    assert len(history(tmp_path).trials) == 13  # no later driver wants fewer
    assert main(["add", "x=0.31", *results]) == 0
    assert main(["extend", "--trials", "2", "--progress", "none", *results]) == 0
    assert_exactly_once(tmp_path, 15)
    assert history(tmp_path).trials[13].ask.config["x"] == 0.31
    with results_folder(results[1], "s") as folder:
        assert not lasting(folder / "s")
    capsys.readouterr()
    assert main(["status", "--json", *results]) == 0
    status = json.loads(capsys.readouterr().out)
    assert (status["trials"], status["ended"], status["reason"]) == (15, 15, "trials")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_search_goes_on_in_another_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path, trainable=TRAINABLE.replace('config["x"]', 'config.get("x", config.get("place"))'))
    assert search(tmp_path, "--trials", "6")[0] == 0
    old = [trial.ask.config["x"] for trial in history(tmp_path).trials.values()]
    inside = sum(0.2 <= x <= 0.8 for x in old)
    space = (tmp_path / "space.yaml").read_text()
    (tmp_path / "new.yaml").write_text(space.replace("x: {min: 0.0, max: 1.0}", "place: {min: 0.2, max: 0.8}"))
    assert main(["extend", "s", "new.yaml", "--rename", "x=place", "--trials", "4", "--progress", "lines"]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert f"of 6 trials {inside} lie in the new space and are told to the sampler" in said
    board = pd.read_parquet(tmp_path / "results/s/leaderboard.parquet").sort_values("number")
    assert "x" not in board and list(board["place"][:6]) == old
    assert len(board) == 10 and board["place"][6:].between(0.2, 0.8).all()
    assert search(tmp_path, "--resume")[0] == 2  # the old file is another search now
    assert main(["extend", "s", "--trials", "1", "--progress", "none"]) == 0
    assert_exactly_once(tmp_path, 11)
