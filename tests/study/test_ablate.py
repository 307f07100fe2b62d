"""``tuner ablate``: what is switched off, and what is said of it. Ray is in tests/cli."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.study.comparisons import BUILTIN, OWN, Outcome, finished_search, stand_in
from tuner.facts.errors import UsageError
from tuner.facts.records import State
from tuner.search.messages import Ended
from tuner.study.ablate import ablate
from tuner.study.observer import Silent

TEXT = BUILTIN + "      mixup_alpha: 0.4\n      cutout: {values: [0, 4]}\n      label_smoothing: 0.1\n"
CONFIG: dict[str, Any] = {
    "model": "cnn",
    "epochs": 3,
    "optimizer": "sgd",
    "lr": 0.02,
    "weight_decay": 1e-4,
    "mixup_alpha": 0.4,
    "cutout": 0,
    "label_smoothing": 0.1,
}


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))


def accuracy(config: Mapping[str, Any]) -> Outcome:
    """Mixup helps by 0.05, label smoothing harms by 0.03, weight decay does nothing."""
    seed = config["seed"]
    level = 0.8 + 0.05 * (config["mixup_alpha"] > 0) - 0.03 * (config["label_smoothing"] > 0)
    noise = np.random.default_rng(seed).normal(0, 0.05)
    own = np.random.default_rng([seed, round(1e4 * config["weight_decay"])]).normal(0, 0.002)
    own += np.random.default_rng([seed, round(10 * config["label_smoothing"])]).normal(0, 0.002)
    own += np.random.default_rng([seed, round(10 * config["mixup_alpha"])]).normal(0, 0.002)
    return level + noise + own, {"generalization_gap": 0.2 - level / 5}


def test_each_regularizer_that_is_on_is_switched_off_alone_and_then_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = finished_search(tmp_path, TEXT, [CONFIG], [0.8])
    trained = stand_in(monkeypatch, accuracy)
    _, record = ablate(folder, 0, seeds=6, observer=Silent())
    assert record is not None
    assert record["regularizers"] == {"mixup_alpha": 0.4, "weight_decay": 1e-4, "label_smoothing": 0.1}
    assert {row["name"]: row["off"] for row in record["ablations"]} == {
        "without mixup_alpha": ["mixup_alpha"],
        "without weight_decay": ["weight_decay"],
        "without label_smoothing": ["label_smoothing"],
        "all off": ["mixup_alpha", "weight_decay", "label_smoothing"],
    }
    for row in record["ablations"]:
        changed = {name for name, value in row["config"].items() if value != CONFIG[name]}
        assert changed == set(row["off"]) and row["config"].keys() == CONFIG.keys()
        assert [run["seed"] for run in row["runs"]] == record["seeds"] != []
    assert len(trained.configs) == 30
    assert len(set(record["split_seeds"])) == 6 and 0 not in record["split_seeds"]
    assert json.loads((folder / "ablate-0.json").read_text()) == record


def test_which_one_earns_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = finished_search(tmp_path, TEXT, [CONFIG], [0.8])
    stand_in(monkeypatch, accuracy)
    _, record = ablate(folder, 0, seeds=6, observer=Silent())
    assert record is not None
    found = {row["name"]: row for row in record["ablations"]}
    assert {name: row["verdict"] for name, row in found.items()} == {
        "without mixup_alpha": "earns its place",
        "without weight_decay": "is not shown to matter",
        "without label_smoothing": "does harm",
        "all off": "earns its place",
    }
    assert found["without mixup_alpha"]["difference"]["mean"] == pytest.approx(-0.05, abs=0.005)
    assert "mixup_alpha earns its place: without it val_accuracy -0.0" in found["without mixup_alpha"]["sentence"]
    assert "regularization as a whole earns its place: without any" in found["all off"]["sentence"]
    assert record["full"]["generalization_gap"]["mean"] == pytest.approx(0.2 - 0.82 / 5)
    assert found["without mixup_alpha"]["generalization_gap"]["mean"] == pytest.approx(0.2 - 0.77 / 5)


def test_what_breaks_without_a_regularizer_is_no_proof_of_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does a regularizer earn its place by a baseline that lost the seeds in which it broke."""
    folder = finished_search(tmp_path, TEXT, [CONFIG], [0.8])
    broken: list[str] = []

    def breaks_once(config: Mapping[str, Any]) -> Outcome:
        name = "full" if config["label_smoothing"] and config["mixup_alpha"] else "less"
        if name not in broken and config["weight_decay"] and (name == "full" or config["mixup_alpha"]):
            broken.append(name)
            return Ended(State.DIVERGED, "nan", "the loss is not finite")
        return accuracy(config)

    stand_in(monkeypatch, breaks_once)
    _, record = ablate(folder, 0, seeds=6, observer=Silent())
    assert record is not None and broken == ["full", "less"]
    found = {row["name"]: row for row in record["ablations"]}
    for name in ("without mixup_alpha", "without label_smoothing"):
        assert found[name]["difference"]["p_adjusted"] < 0.05
        assert found[name]["verdict"] == "is not shown to matter"
        assert "1 of 6 runs of 'full' ended without a score" in found[name]["sentence"]
    assert "1 of 6 runs of 'without label_smoothing' ended" in found["without label_smoothing"]["sentence"]


def test_one_regularizer_alone_is_all_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = {**CONFIG, "mixup_alpha": 0.0, "label_smoothing": 0.0}
    folder = finished_search(tmp_path, TEXT, [alone], [0.8])
    trained = stand_in(monkeypatch, accuracy)
    _, record = ablate(folder, 0, seeds=2, observer=Silent())
    assert record is not None and [row["name"] for row in record["ablations"]] == ["without weight_decay"]
    assert len(trained.configs) == 4
    _, again = ablate(folder, 0, seeds=3, observer=Silent())
    assert len(trained.configs) == 6 and again is not None
    assert again["full"]["runs"][:2] == record["full"]["runs"]


@pytest.mark.parametrize(
    ("text", "config", "words", "said"),
    [
        (TEXT, CONFIG, {"number": 7}, "has no trial 7; it has 1 trials"),
        (
            TEXT,
            {**CONFIG, "mixup_alpha": 0.0, "label_smoothing": 0.0, "weight_decay": 0.0},
            {},
            "trial 0 has no regularizer on",
        ),
        (OWN, {"x": 0.5}, {}, "only the built-in trainable's regularizers are known, not those of mine:train"),
    ],
)
def test_what_cannot_be_ablated_is_one_sentence(
    tmp_path: Path, text: str, config: dict[str, Any], words: dict[str, Any], said: str
) -> None:
    folder = finished_search(tmp_path, text, [config], [0.8])
    with pytest.raises(UsageError) as raised:
        ablate(folder, **{"number": 0, "seeds": 2, "observer": Silent(), **words})
    assert said in str(raised.value)
    assert not list(folder.glob("ablate*"))
