"""``tuner show`` as people call it."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.leaderboard.logs import INFO, NOON, config, demo, trial, write_search
from tuner.cli.main import main
from tuner.facts.records import Goal, Metric, State
from tuner.journal.events import Open


@pytest.fixture
def results(tmp_path: Path) -> str:
    folder = write_search(tmp_path / "demo", demo())
    description = json.loads((folder / "search.json").read_text())
    settings = {
        "trainable": "cifar",
        "data": {"dataset": "digits", "validation": 300, "split_seed": 0, "train_images": None},
        "metric": description["metric"],
        "resources": {"cpus_per_trial": 1.0, "max_concurrent": None},
        "retries": 3,
        "trial_timeout": None,
    }
    (folder / "search.json").write_text(json.dumps({**description, "settings": settings}))
    return str(tmp_path)


def call(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["show", *words]) == 0
    return capsys.readouterr().out


def read_yaml(text: str) -> dict[str, Any]:
    values: dict[str, Any] = YAML(typ="safe").load(text)
    return values


def test_a_trial_on_one_page(results: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = call(capsys, "0", "--results", results)
    assert "demo-0: completed (it ran its whole budget)" in out
    assert "2 of 2" in out
    assert "val_loss    0.3 at epoch 2" in out, "as the score is"
    assert "0.7 (val_accuracy, to maximize) at epoch 2" in out
    assert "0.5 ▁█▄ 0.6" in out or "0.5 ▁█▅ 0.6" in out
    assert "milestones  none" in out
    assert f"checkpoints{'/'}1/epoch-2" in call(capsys, "demo-1", "--results", results)


def test_other_runs_of_a_configuration_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = [*trial(0, [0.9], seed=1), *trial(1, [0.8], lr=0.2), *trial(2, [], State.DIVERGED, seed=2)]
    write_search(tmp_path / "demo", [Open(at=NOON, slots=1, trials=3), *events])
    out = call(capsys, "0", "--results", str(tmp_path))
    assert "other runs" in out and "trial 2 diverged (the same configuration, other seeds)" in out
    assert "other runs" not in call(capsys, "1", "--results", str(tmp_path))


def test_several_metrics_are_shown_with_the_front(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    info = replace(INFO, further=(Metric("val_loss", Goal.MINIMIZE), Metric("size", Goal.MINIMIZE)))
    events = [*trial(0, [0.9], metrics={"size": 2.0}), *trial(1, [0.8], metrics={"size": 3.0})]
    write_search(tmp_path / "demo", [Open(at=NOON, slots=1, trials=2), *events], info)
    out = call(capsys, "1", "--results", str(tmp_path))
    assert "2 of 2, on Pareto front 2" in out
    assert "size        3 (to minimize)" in out and out.count("val_loss") == 1


def test_one_of_several_searches_is_named_with_the_trial(results: str, capsys: pytest.CaptureFixture[str]) -> None:
    write_search(Path(results) / "with-hyphen", [Open(at=NOON, slots=1, trials=1), *trial(0, [0.5])])
    for words in (["with-hyphen/0"], ["with-hyphen-0"], ["0", "--name", "with-hyphen"]):
        assert "1 of 1" in call(capsys, *words, "--results", results)
    assert main(["show", "0", "--results", results]) == 2
    assert "name one (tuner show NAME/0 or --name NAME)" in capsys.readouterr().err


def test_why_a_trial_ended(results: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "ASHA stopped it" in call(capsys, "2", "--results", results)
    failed = call(capsys, "4", "--results", results)
    assert "error: ValueError: no such layer" in failed
    assert "by epoch" not in failed


def test_the_configuration_alone_is_yaml_of_the_same_values(results: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = call(capsys, "1", "--results", results, "--config")
    assert read_yaml(text) == config(optimizer="sgd", momentum=0.9, batch_size=256)


def test_texts_that_look_like_something_else_stay_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, text in enumerate(["true", "null", "1e-4", "a: b", "# x", "", "ü", "-", "'", '"', "[1]", "x\ny"]):
        write_search(tmp_path / str(number) / "demo", [Open(at=NOON, slots=1, trials=1), *trial(0, [0.5], model=text)])
        out = call(capsys, "0", "--results", str(tmp_path / str(number)), "--config")
        assert read_yaml(out)["model"] == text


def test_a_search_file_runs_the_trial_again(results: str, capsys: pytest.CaptureFixture[str]) -> None:
    page = call(capsys, "1", "--results", results)
    command = shlex.split(page.splitlines()[-1].split(" > ")[0])
    file = read_yaml(call(capsys, *command[2:]))
    assert file["name"] == "demo-1"
    assert file["parameters"] == config(optimizer="sgd", momentum=0.9, batch_size=256)
    assert (file["search"]["trials"], file["scheduler"]["type"]) == (1, "none")
    assert file["data"] == {"dataset": "digits", "validation": 300, "split_seed": 0}


def test_a_null_that_was_drawn_is_no_inactive_hyperparameter(
    results: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both are null on the leaderboard; the conditions of the space tell them apart, without the log too."""
    events = [Open(at=NOON, slots=1, trials=1), *trial(0, [0.5], optimizer="adamw", batch_size=None)]
    folder = write_search(tmp_path / "drawn", events)
    description = json.loads((tmp_path / "demo/search.json").read_text())
    description["settings"]["parameters"] = {
        "optimizer": [{"values": ["adamw", "sgd"], "when": {}}],
        "momentum": [{"value": 0.9, "when": {"optimizer": ["sgd"]}}],
        "batch_size": [{"value": 64, "when": {"momentum": [0.9]}}, {"values": [None, 128], "when": {}}],
    }
    (folder / "search.json").write_text(json.dumps({**description, "search": "drawn"}))
    (folder / "events.jsonl").unlink()
    words = ("drawn/0", "--results", results)
    drawn = config(optimizer="adamw", batch_size=None)
    assert read_yaml(call(capsys, *words, "--config")) == drawn
    assert read_yaml(call(capsys, *words, "--search-file"))["parameters"] == drawn
    page = call(capsys, *words)
    assert "  batch_size  null" in page and "momentum" not in page


def test_json_holds_row_configuration_and_epochs(results: str, capsys: pytest.CaptureFixture[str]) -> None:
    record = json.loads(call(capsys, "0", "--results", results, "--json"))
    assert (record["version"], record["search"]) == (1, "demo")
    assert record["trials"][0]["trial_id"] == "demo-0"
    assert record["config"]["milestones"] == "none"
    assert [epoch["score"] for epoch in record["epochs"]] == [0.5, 0.7, 0.6]


def test_a_long_curve_fits_on_a_line_and_ends_with_the_last_epoch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = [epoch / 500 for epoch in range(500)]
    write_search(tmp_path / "demo", [Open(at=NOON, slots=1, trials=1), *trial(0, scores)])
    line = next(line for line in call(capsys, "0", "--results", str(tmp_path)).splitlines() if "by epoch" in line)
    assert len(line) <= 80
    assert "▁" in line
    assert "█ 0.998" in line


def test_the_verdict_is_seen_from_the_curves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def page(name: str, **metrics: float) -> str:
        write_search(tmp_path / name, [Open(at=NOON, slots=1, trials=1), *trial(0, scores, metrics=metrics)])
        return call(capsys, "0", "--results", str(tmp_path), "--name", name)

    scores = [0.9, 0.8, 0.7, 0.6, 0.5]  # the validation loss is 1 - score
    line = next(line for line in page("complete", train_accuracy=0.9).splitlines() if line.startswith("verdict"))
    assert "undecided: the validation loss rose from 0.15 at epoch 1 to 0.45 in the last epochs" in line
    assert "generalization_gap  0.2 at epoch 1" in page("gap", generalization_gap=0.2)
    assert "\nverdict" not in page("without-accuracies")


@pytest.mark.parametrize(
    "word", ["9", "x", "demo-", "/1", "demo-1-x", "demo/x", "99999999999999999999", "٣", "other-1"]
)
def test_no_such_trial_is_one_sentence(results: str, capsys: pytest.CaptureFixture[str], word: str) -> None:
    assert main(["show", word, "--results", results]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
