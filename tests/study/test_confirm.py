"""``tuner confirm``: what is trained, with which seeds and images, and what is said of it. Ray is in tests/cli."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.study.comparisons import BUILTIN, OWN, Outcome, finished_search, stand_in
from tuner.datasets.prepare import prepare
from tuner.datasets.split import Reserved, reserved_images, split
from tuner.facts.errors import ExitCode, ResultsHeldError, UsageError
from tuner.facts.records import State
from tuner.journal.log import open_log
from tuner.search.messages import Ended
from tuner.study import compare
from tuner.study.ablate import ablate
from tuner.study.confirm import confirm
from tuner.study.folder import Folder
from tuner.study.observer import Silent
from tuner.study.stored import stored_search

CONFIGS: list[dict[str, Any]] = [
    {"model": "cnn", "epochs": 3, "optimizer": "sgd", "lr": 0.02, "weight_decay": 1e-4},
    {"model": "cnn", "epochs": 3, "optimizer": "adamw", "lr": 0.003, "weight_decay": 1e-3},
    {"model": "cnn", "epochs": 3, "optimizer": "sgd", "lr": 0.09, "weight_decay": 1e-3},
]
SCORES = [0.9, 0.95, 0.7]
POINTS = [{"x": 0.5}, {"x": 0.9}, {"x": 0.1}]


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))


def accuracy(config: Mapping[str, Any]) -> Outcome:
    """Trial 1 is better than the default by about 0.05 whatever the seed, trial 0 by nothing much."""
    noise = np.random.default_rng(config["seed"])
    level = 0.85 if "lr" not in config else 0.9 if config["optimizer"] == "adamw" else 0.851
    return level + noise.normal(0, 0.05) + np.random.default_rng([len(config), config["seed"]]).normal(0, 0.004), {}


def loss(config: Mapping[str, Any]) -> Outcome:
    return (config["x"] - 0.3) ** 2 + 1e-3 * (config["seed"] % 97) * config["x"], {}


def test_winners_and_default_are_trained_with_the_same_fresh_seeds_on_the_same_fresh_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = finished_search(tmp_path, BUILTIN, CONFIGS, SCORES)
    trained = stand_in(monkeypatch, accuracy)
    compared, record = confirm(folder, top=2, seeds=4, observer=Silent())
    assert compared.code == ExitCode.OK and record is not None
    assert [item["number"] for item in record["trials"]] == [1, 0]
    assert record["default"]["config"] == {"model": "cnn", "epochs": 3}
    unlike = {"optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0}
    assert record["default_values"] == unlike, "the best trial has adamw with values of its own"
    seeds = record["seeds"]
    assert len(set(seeds)) == 4 and not set(seeds) & {0, 1, 2}
    for row in (record["default"], *record["trials"]):
        assert [run["seed"] for run in row["runs"]] == seeds
    assert len(trained.configs) == 12
    assert [config["seed"] for config in trained.configs] == sorted(
        (config["seed"] for config in trained.configs), key=seeds.index
    ), "seed by seed"
    assert len(set(record["split_seeds"])) == 4 and 0 not in record["split_seeds"]
    assert trained.job is not None
    assert [trained.job.split_seed_of(config) for config in trained.configs[::3]] == record["split_seeds"]
    assert json.loads((folder / "confirm.json").read_text()) == record


def test_a_winner_that_is_better_and_one_of_which_it_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = finished_search(tmp_path, BUILTIN, CONFIGS, SCORES)
    stand_in(monkeypatch, accuracy)
    _, record = confirm(folder, top=2, seeds=5, observer=Silent())
    assert record is not None
    best, second = record["trials"]
    assert (best["difference"]["verdict"], second["difference"]["verdict"]) == ("better", "not shown")
    assert 0.03 < best["difference"]["low"] < best["difference"]["mean"] < best["difference"]["high"] < 0.07
    assert "trial 1 is better than the default: val_accuracy +0.0" in record["verdict"]
    assert best["search_score"] == 0.95 and best["score"]["mean"] < 0.95, "the winner's curse shows"
    runs = [run["score"] for run in best["runs"]]
    assert best["score"]["mean"] == pytest.approx(np.mean(runs))
    assert best["score"]["std"] == pytest.approx(np.std(runs, ddof=1))


def test_what_comes_from_rounding_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1.1e-16, 5.6e-17, ... below the default under every seed: small, but sure, were they taken at their word."""
    scores = [0.3, 0.6, 0.7, 0.9]

    def rounded(config: Mapping[str, Any]) -> Outcome:
        score = scores[order.setdefault(config["seed"], len(order))]
        return score if config["x"] == 0.1 else float(np.nextafter(score, 1)), {}

    order: dict[int, int] = {}
    folder = finished_search(tmp_path, OWN, POINTS, [0.04, 0.36, 0.01])
    stand_in(monkeypatch, rounded)
    _, record = confirm(folder, top=1, seeds=4, observer=Silent())
    assert record is not None
    assert record["trials"][0]["difference"]["mean"] == 0
    assert "not shown to be better or worse" in record["verdict"] and "loss 0.0000 on average" in record["verdict"]


def test_small_scores_keep_their_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = finished_search(tmp_path, OWN, POINTS, [0.04, 0.36, 0.01])
    stand_in(monkeypatch, lambda config: (1e-5 * config["x"] + 1e-8 * (config["seed"] % 7), {}))
    _, record = confirm(folder, top=1, seeds=2, observer=Silent())
    assert record is not None and "loss -0.00000400 on average" in record["verdict"]


def test_less_is_better_where_the_metric_is_minimized_and_the_first_point_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = finished_search(tmp_path, OWN, POINTS, [0.04, 0.36, 0.01])
    stand_in(monkeypatch, loss)
    _, record = confirm(folder, top=3, seeds=6, observer=Silent())
    assert record is not None
    assert record["default"]["config"] == record["default_values"] == {"x": 0.5}
    assert [item["number"] for item in record["trials"]] == [2, 0, 1]
    assert [item["difference"]["verdict"] for item in record["trials"]] == ["better", "not shown", "worse"]
    assert record["trials"][1]["sentence"] == "trial 0 is the default configuration"
    assert record["split_seeds"] is None and record["default"]["error"] is None


def test_more_seeds_and_more_winners_keep_what_was_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = finished_search(tmp_path, OWN, POINTS, [0.04, 0.36, 0.01])
    trained = stand_in(monkeypatch, loss)
    _, first = confirm(folder, top=1, seeds=2, observer=Silent())
    assert len(trained.configs) == 4
    log = (folder / "confirm/events.jsonl").read_bytes()
    _, again = confirm(folder, top=1, seeds=2, observer=Silent())
    assert again == first and (folder / "confirm/events.jsonl").read_bytes() == log
    _, larger = confirm(folder, top=2, seeds=3, observer=Silent())
    assert len(trained.configs) == 6, "trial 0 is the default: two configurations with three seeds"
    assert first is not None and larger is not None
    assert larger["seeds"][:2] == first["seeds"]
    assert larger["trials"][0]["runs"][:2] == first["trials"][0]["runs"]


def test_what_was_trained_outlives_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = finished_search(tmp_path, OWN, POINTS, [0.04, 0.36, 0.01])
    stand_in(monkeypatch, loss)
    confirm(folder, top=1, seeds=2, observer=Silent())
    log = (folder / "confirm/events.jsonl").read_bytes()
    monkeypatch.setattr(compare, "prepare_data", no_images)
    with pytest.raises(UsageError, match="no images"):
        confirm(folder, top=1, seeds=3, observer=Silent())
    assert (folder / "confirm/events.jsonl").read_bytes() == log


def no_images(*_: object) -> None:
    raise UsageError("no images")


def test_a_winner_that_breaks_is_never_shown_to_be_better(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = finished_search(tmp_path, OWN, POINTS, [0.04, 0.36, 0.01])
    broken: list[int] = []

    def breaks_once(config: Mapping[str, Any]) -> Outcome:
        if config["x"] == 0.1 and not broken:
            broken.append(config["seed"])
            return Ended(State.DIVERGED, "nan", "the loss is not finite")
        return loss(config)

    stand_in(monkeypatch, breaks_once)
    compared, record = confirm(folder, top=1, seeds=6, observer=Silent())
    assert compared.code == ExitCode.OK and record is not None, "a diverged run is a result"
    best = record["trials"][0]
    assert best["difference"]["pairs"] == 5 and best["difference"]["high"] < 0
    assert best["difference"]["verdict"] == "not shown"
    assert "; 1 of 6 runs of 'trial 2' ended without a score" in best["sentence"]
    assert [run["state"] for run in best["runs"]].count("diverged") == 1


def test_runs_of_an_earlier_request_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial that is not among the best of a later, smaller request fails; in that one nothing has failed."""
    folder = finished_search(tmp_path, OWN, [{"x": 0.5}, {"x": 0.9}, {"x": 0.1}], [0.04, 0.36, 0.01])
    trained = stand_in(
        monkeypatch, lambda config: Ended(State.FAILED, "error", "no") if config["x"] == 0.9 else loss(config)
    )
    compared, _ = confirm(folder, top=3, seeds=2, observer=Silent())
    assert (compared.code, trained.count) == (ExitCode.TRIAL_FAILED, 6)
    for seeds in (2, 3):
        compared, _ = confirm(folder, top=1, seeds=seeds, observer=Silent())
        assert compared.code == ExitCode.OK
    assert trained.count == 8, "what is shown counts all that the log will hold"


def test_reserved_images_are_in_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the file fixes how many images train: a tenth of them at most makes room."""
    folder = finished_search(tmp_path, BUILTIN.replace("200}", "200, train_images: 1200}"), CONFIGS, SCORES)
    trained = stand_in(monkeypatch, accuracy)
    _, record = confirm(folder, top=1, seeds=2, observer=Silent())
    assert record is not None and trained.job is not None and trained.job.data is not None
    reserved = trained.job.reserved
    assert isinstance(reserved, Reserved) and record["reserved_images"] == reserved.count == 120
    _, labels = prepare("digits").load_train()
    aside = set(reserved_images(labels, reserved))
    data = trained.job.data
    assert data.train_images == len(labels) - 200 - 120 < 1200
    train, held = split(
        labels, validation=200, split_seed=1, train_images=data.train_images, reserved=trained.job.reserved
    )
    assert not aside & {*train, *held}


def test_the_default_is_the_typed_one_with_what_the_file_fixes_where_that_applies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
        name: s
        data: {dataset: digits, validation: 200}
        parameters:
          epochs: 3
          optimizer: {values: [adamw, rmsprop]}
          weight_decay: {value: 0.01, when: {optimizer: adamw}}
          batch_size: 64
          schedule: {values: [cosine, step]}
          step_size: {value: 2, when: {schedule: step}}
    """
    folder = finished_search(tmp_path, text, CONFIGS, SCORES)
    stand_in(monkeypatch, accuracy)
    _, record = confirm(folder, top=1, seeds=2, observer=Silent())
    assert record is not None
    assert record["default"]["config"] == {"epochs": 3, "batch_size": 64}, "sgd and constant are the typed defaults"


def test_images_that_do_not_suit_the_default_are_named_though_no_trial_was_trained_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
        name: s
        data: {dataset: digits, validation: 200}
        parameters:
          epochs: 3
          norm: {value: instance, when: {model: [cnn, resnet18]}}
          model: {values: [mlp, cnn]}
          depth: {value: 2, when: {model: cnn}}
    """
    folder = finished_search(tmp_path, text, [{"epochs": 3, "model": "mlp"}], [0.9])
    trained = stand_in(monkeypatch, accuracy)
    with pytest.raises(UsageError, match="resnet18 with instance norm needs images of at least 16 x 16 pixels"):
        confirm(folder, top=1, seeds=2, observer=Silent())
    assert trained.configs == []
    assert not (folder / "confirm").exists(), "nothing was begun"


@pytest.mark.parametrize(
    ("text", "scores", "words", "said"),
    [
        (OWN, [None, None, None], {}, "has no completed trial to confirm"),
        (OWN.replace("points: [{x: 0.5}]", "seed: 1"), [0.1, 0.2, 0.3], {}, "the first of 'search.points'"),
        (OWN, [0.1, 0.2, 0.3], {"overrides": ["search.seed=2"]}, "search.seed (0, now 2)"),
    ],
)
def test_what_cannot_be_confirmed_is_one_sentence(
    tmp_path: Path, text: str, scores: list[float | None], words: dict[str, Any], said: str
) -> None:
    folder = finished_search(tmp_path, text, POINTS, scores)
    with pytest.raises(UsageError) as raised:
        confirm(folder, **{"top": 1, "seeds": 2, "observer": Silent(), **words})
    assert said in str(raised.value)
    assert not (folder / "confirm.json").exists()


def test_a_search_that_runs_is_left_alone(tmp_path: Path) -> None:
    folder = finished_search(tmp_path, OWN, POINTS, [0.04, 0.36, 0.01])
    with open_log(folder), pytest.raises(ResultsHeldError):
        confirm(folder, top=1, seeds=2, observer=Silent())


def test_images_in_files_of_ones_own_must_be_named_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in results says where they lie; where every run has ended they are not needed."""
    folder = finished_search(tmp_path, BUILTIN, CONFIGS, SCORES)
    description = json.loads((folder / "search.json").read_text())
    description["settings"]["data"]["dataset"] = "folder"
    (folder / "search.json").write_text(json.dumps(description))
    stand_in(monkeypatch, accuracy)
    with pytest.raises(UsageError, match="say --root DIR"):
        confirm(folder, top=1, seeds=2, observer=Silent())
    assert not (folder / "confirm").exists(), "nothing was begun"
    with pytest.raises(UsageError, match="no result records where"):
        ablate(folder, 0, seeds=2, observer=Silent())
    assert not (folder / "ablate").exists()
    file = stored_search(Folder(folder), ["root=images"])
    assert file.data is not None and file.data.root == str(tmp_path / "images")
