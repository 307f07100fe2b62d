"""``tuner leaderboard`` as people call it."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from tests.leaderboard.logs import INFO, NOON, demo, trial, write_search
from tuner.cli.main import main
from tuner.facts.records import LEADERBOARD_COLUMNS, Goal, Metric, State
from tuner.journal.events import Open


@pytest.fixture
def results(tmp_path: Path) -> str:
    write_search(tmp_path / "demo", demo())
    return str(tmp_path)


def call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[str, str]:
    assert main(["leaderboard", *words]) == 0
    captured = capsys.readouterr()
    return captured.out, captured.err


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["leaderboard", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_the_table_tells_trials_apart_and_names_what_they_share(
    results: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = call(capsys, "--results", results)
    lines = out.splitlines()
    assert lines[0].split() == [
        *("rank", "number", "state", "score", "epochs_run", "optimizer", "lr", "momentum", "batch_size", "milestones")
    ]
    assert lines[1].split()[:6] == ["1", "1", "completed", "0.9000", "2", "sgd"]
    assert lines[-1] == "same in all rows: model=cnn, flip=true, epochs=3"
    assert "2 completed, 1 stopped" in err
    assert "score is val_accuracy, to maximize" in err


def test_a_long_table_says_on_stderr_how_many_more_there_are(results: str, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = call(capsys, "demo", "--results", results, "--top", "2")
    assert len(out.splitlines()) == 4
    assert "5 more trials" in err
    assert "more trials" not in call(capsys, "--results", results, "--top", "0")[1]


def test_80_columns_are_enough(
    results: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out, err = call(capsys, "--results", results)
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "too wide to show: batch_size" in err


def test_columns_sort_and_where(results: str, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = call(
        capsys,
        *("--results", results, "--columns", "number,lr", "--sort", "lr", "--descending", "--where", "score < 0.5"),
    )
    assert [line.split() for line in out.splitlines()] == [["number", "lr"], ["6", "0.5"], ["2", "0.02"]]


def test_json_holds_the_names_of_the_file_and_null_for_missing(
    results: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = call(capsys, "--results", results, "--json", "--top", "0")
    record = json.loads(out)
    assert (record["version"], record["search"], len(record["trials"])) == (1, "demo", 7)
    names = list(pd.read_parquet(Path(results) / "demo" / "leaderboard.parquet").columns)
    assert all(list(item) == names for item in record["trials"])
    assert record["trials"][0]["started_at"] == "2026-01-31T18:01:42+00:00"
    assert record["trials"][1]["momentum"] is None
    assert err == ""
    assert call(capsys, "--results", results, "--format", "json", "--top", "0")[0] == out


def test_csv_cannot_run_in_a_spreadsheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = [Open(at=NOON, slots=1, trials=2), *trial(0, [0.5], model="=1+1"), *trial(1, [0.4], lr=-0.5)]
    write_search(tmp_path / "demo", events)
    out, _ = call(capsys, "--results", str(tmp_path), "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["model"] for row in rows] == ["'=1+1", "cnn"]
    assert [row["lr"] for row in rows] == ["0.01", "-0.5"]
    assert rows[0]["momentum"] == ""
    assert len(pd.read_csv(io.StringIO(out))) == 2


def test_shares_line_up_and_other_scores_keep_their_digits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measured = {"val_accuracy": 0.97, "val_loss": 0.5, "generalization_gap": 0.0}
    events = [Open(at=NOON, slots=1, trials=1), *trial(0, [0.97], metrics=measured)]
    write_search(tmp_path / "demo", events)
    words = ("--results", str(tmp_path), "--columns", "score,val_accuracy,generalization_gap,val_loss")
    assert call(capsys, *words)[0].split()[4:] == ["0.9700", "0.9700", "0.0000", "0.5"]
    assert "| 0.9700 | 0.9700 | 0.0000 | 0.5 |" in call(capsys, *words, "--format", "md")[0]


def test_markdown_escapes_what_would_break_its_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_search(tmp_path / "demo", [Open(at=NOON, slots=1, trials=1), *trial(0, [0.5], model="a|b")])
    out, _ = call(capsys, "--results", str(tmp_path), "--format", "md", "--columns", "rank,model")
    assert out == "| rank | model |\n| ---: | --- |\n| 1 | a\\|b |\n"


def test_text_is_no_markup(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = "ValueError: [bold]no such [/] layer\x1b[31m"
    events = [Open(at=NOON, slots=1, trials=1), *trial(0, [], State.FAILED, reason="error", error=error)]
    write_search(tmp_path / "demo", events)
    out, _ = call(capsys, "--results", str(tmp_path), "--columns", "error")
    assert "[bold]no such [/] layer" in out
    assert "\x1b" not in out


def test_no_trials_yet_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_search(tmp_path / "demo", [Open(at=NOON, slots=1, trials=1)])
    out, err = call(capsys, "--results", str(tmp_path))
    assert out == ""
    assert "no trials yet" in err
    assert json.loads(call(capsys, "--results", str(tmp_path), "--json")[0])["trials"] == []
    header = call(capsys, "--results", str(tmp_path), "--format", "csv")[0]
    assert header.startswith(",".join(column.name for column in LEADERBOARD_COLUMNS))


def test_no_match_is_no_error(results: str, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = call(capsys, "--results", results, "--where", "lr > 100")
    assert out == ""
    assert "no trial matches" in err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--sort", "scor"], "did you mean 'score'"),
        (["--columns", "rank,lrr"], "did you mean 'lr'"),
        (["--where", "lr >"], "--where 'lr >'"),
        (["--top", "-1"], "--top"),
        (["--top", "x"], "must be a whole number"),
        (["--descending"], "need --sort"),
        (["--json", "--format", "csv"], "contradict"),
        (["../demo"], "no name of a search"),
        (["other"], "holds demo"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    results: str, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    err = refused(capsys, "--results", results, *words)
    assert sentence in err
    assert err.count("\n") == 1


def test_damage_is_exit_code_5(results: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(results) / "demo" / "events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[1][:-20] + b"\n", *lines[2:]]))
    assert main(["leaderboard", "--results", results]) == 5
    assert "line 2 is damaged" in capsys.readouterr().err


def test_a_terminal_gets_colours_and_a_pipe_does_not(
    results: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\x1b" not in call(capsys, "--results", results)[0]
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert Console().is_terminal
    assert "\x1b[32mcompleted" in call(capsys, "--results", results)[0]


@pytest.fixture
def several(tmp_path: Path) -> str:
    """Three on the front, one behind it, one that was stopped."""
    info = replace(INFO, further=(Metric("size", Goal.MINIMIZE),))
    scores = [(0.7, 1.0), (0.9, 9.0), (0.8, 4.0), (0.75, 5.0)]
    events = [event for n, (score, size) in enumerate(scores) for event in trial(n, [score], metrics={"size": size})]
    events += trial(4, [0.99], State.STOPPED, reason="asha", metrics={"size": 0.0})
    write_search(tmp_path / "several" / "demo", [Open(at=NOON, slots=1, trials=5), *events], info)
    return str(tmp_path / "several")


def test_the_front_is_listed_by_the_first_metric_with_all_of_them(
    several: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = call(capsys, "--results", several, "--pareto")
    head, *rows = (line.split() for line in out.splitlines())
    assert head[:6] == ["rank", "pareto_rank", "number", "state", "score", "metric_size"]
    assert [row[:6] for row in rows[:3]] == [
        ["1", "1", "1", "completed", "0.9000", "9"],
        ["2", "1", "2", "completed", "0.8000", "4"],
        ["4", "1", "0", "completed", "0.7000", "1"],
    ]
    assert not rows[3:] or rows[3][0] == "same"
    assert "score is val_accuracy, to maximize; also size, to minimize" in err
    some = call(capsys, "--results", several, "--pareto", "--where", "score < 0.9 or lr > 9", "--json")[0]
    assert [item["number"] for item in json.loads(some)["trials"]] == [2, 0]
    assert [item["name"] for item in json.loads(some)["metrics"]] == ["val_accuracy", "size"]


def test_a_front_needs_several_metrics(results: str, several: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "demo has one metric, val_accuracy; a Pareto front needs several" in refused(
        capsys, "--results", results, "--pareto"
    )
    assert "--where 'lr >'" in refused(capsys, "--results", several, "--pareto", "--where", "lr >")
