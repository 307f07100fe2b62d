"""``search.warm_start``: what is read of earlier searches when one is made, and what of that its folder keeps."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.storage.server import S3Server, s3
from tests.study.searches import prepare
from tuner.cli.main import main
from tuner.cli.search import configure, resume_command
from tuner.facts.errors import ResultsDamagedError
from tuner.facts.records import Origin, State
from tuner.hyperparameters.table import TRAINABLES
from tuner.journal.events import Ask, Close, End, Epoch, Event, Open
from tuner.journal.log import open_log
from tuner.leaderboard.info import SearchInfo
from tuner.space.read import read_search_file
from tuner.space.searchfile import SearchFile
from tuner.storage.copies import attach
from tuner.study.folder import Folder
from tuner.study.observer import Silent
from tuner.study.warm_start import choose_warm_points, warm_points_of

__all__ = ["s3"]

SPACE = """
    name: {name}
    trainable: mine:train
    metric: {{name: {metric}, goal: maximize}}
    search: {{trials: 4}}
    scheduler: {{type: none}}
    parameters:
      x: {{min: 0.0, max: 1.0}}
      kind: {{values: [a, null, [1, 2]]}}
"""


class Noting(Silent):
    """Notes what people are told."""

    def __init__(self) -> None:
        self.notices: list[str] = []

    def notice(self, text: str) -> None:
        self.notices.append(text)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def file_of(name: str, *overrides: str, metric: str = "acc") -> SearchFile:
    prepare(Path(), space=SPACE.format(name=name, metric=metric))
    return read_search_file(Path("space.yaml"), overrides, trainables=TRAINABLES)


def earlier(
    name: str,
    configs: Sequence[dict[str, Any]],
    *,
    metric: str = "acc",
    state: State = State.COMPLETED,
    results: str = "results",
) -> None:
    """Leave a search whose trials are the better the later they are."""
    file = file_of(name, metric=metric)
    path = attach(results) / name
    path.mkdir(parents=True)
    info = SearchInfo.of(file.name, file.metric.name, file.metric.goal, file.space)
    Folder(path).describe(file, info, None, "2026-01-31T12:00:00+00:00")
    with open_log(path) as log:
        log.append(
            Open(at=1.0, slots=1, trials=len(configs)),
            *_trials(configs, state),
            Close(at=9.0, reason="trials", seconds=8.0),
        )


def _trials(configs: Sequence[dict[str, Any]], state: State) -> Iterator[Event]:
    for n, config in enumerate(configs):
        yield Ask(at=2.0, n=n, config={**config, "seed": n}, origin=Origin.RANDOM)
        yield Epoch(
            at=3.0, n=n, attempt=1, epoch=1, score=n / 10, metrics={}, seconds=1, memory_mb=None, checkpoint=None
        )
        yield End(at=4.0, n=n, attempt=1, state=state, stop_reason="budget")


def test_the_best_are_taken_as_they_were_and_said(tmp_path: Path) -> None:
    configs = [{"x": 0.1, "kind": "a"}, {"x": 1 / 3, "kind": None}, {"x": 0.5, "kind": [1, 2]}]
    earlier("proxy", configs)
    earlier("old", [{"x": 0.9, "kind": "a"}])
    observer = Noting()
    points = choose_warm_points(file_of("mine", "search.warm_start=[proxy, old]"), observer)
    assert points == [configs[2], {"x": 0.9, "kind": "a"}, configs[1], configs[0]]
    assert observer.notices == [
        "4 configurations of proxy (3 completed trials) and old (1 completed trial) run among the first trials"
        " (4 trials hold 2 of them)"
    ]


def test_results_on_object_storage_are_looked_for_there(s3: S3Server) -> None:
    earlier("proxy", [{"x": 1 / 3, "kind": None}], results=s3.address("warm"))
    mine = file_of("mine", "search.warm_start=[proxy]", f"results={s3.address('warm')}")
    assert choose_warm_points(mine, Silent()) == [{"x": 1 / 3, "kind": None}]


def test_the_folder_keeps_them_whatever_becomes_of_the_earlier_search(tmp_path: Path) -> None:
    earlier("proxy", [{"x": 1 / 3, "kind": [1, 2]}])
    file = file_of("mine", "search.warm_start=[proxy]")
    folder = Folder(Path("results/mine"))
    folder.path.mkdir()
    info = SearchInfo.of(file.name, file.metric.name, file.metric.goal, file.space)
    folder.describe(file, info, None, "2026-01-31T12:00:00+00:00", choose_warm_points(file, Silent()))
    assert warm_points_of(folder) == [{"x": 1 / 3, "kind": [1, 2]}]
    assert warm_points_of(Folder(Path("results/proxy"))) == []
    record = folder.description()
    (folder.path / "search.json").write_text(json.dumps({**record, "warm_points": [7]}))
    with pytest.raises(ResultsDamagedError, match=r"results/mine/search\.json is damaged: warm_points"):
        warm_points_of(folder)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["poxy"], "warm_start: no search 'poxy'; did you mean 'proxy'? results holds "),
        (["mine"], "'warm_start' names this search itself, 'mine'"),
        (["../proxy"], "warm_start: '../proxy' is no name of a search"),
        (["loss"], "warm_start: loss was to maximize val_loss, and this search is to maximize acc"),
        (["stopped"], "warm_start: stopped has no completed trial"),
        (["proxy", "far"], "warm_start: no value of far's completed trials lies in the space of this search"),
    ],
)
def test_what_cannot_be_taken_over_is_one_sentence_and_leaves_nothing(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    earlier("proxy", [{"x": 0.5, "kind": "a"}])
    earlier("loss", [{"x": 0.5, "kind": "a"}], metric="val_loss")
    earlier("stopped", [{"x": 0.5, "kind": "a"}], state=State.STOPPED)
    earlier("far", [{"x": 7.0, "kind": "b"}])
    file_of("mine")
    assert main(["search", "space.yaml", "--warm-start", *words]) == 2
    assert said in capsys.readouterr().err
    assert not Path("results/mine").exists()


def test_check_names_them_and_opens_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    file_of("mine")
    assert main(["check", "space.yaml", "--set", "warm_start=[proxy, old]"]) == 0
    assert "begins with the best configurations of proxy, old\n" in capsys.readouterr().out


def test_what_is_typed_to_go_on_names_them_as_well() -> None:
    parser = argparse.ArgumentParser()
    configure(parser)
    args = parser.parse_args(["space.yaml", "--address", "auto", "--warm-start", "proxy", "old"])
    typed = "tuner search space.yaml --warm-start proxy old --address auto --resume"
    assert resume_command(args) == typed
    assert parser.parse_args(typed.split()[2:]).warm_start == ["proxy", "old"]
