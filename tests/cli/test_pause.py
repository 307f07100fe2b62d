"""``tuner pause``: every epoch that was under way is kept, and the search goes on after it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_status import search as written
from tests.study.searches import SearchProcess, assert_exactly_once, history, prepare, search
from tuner.cli.main import main


def test_nothing_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path)
    assert main(["pause", "--results", str(tmp_path)]) == 2
    assert "demo does not run, so there is nothing to pause" in capsys.readouterr().err
    assert main(["pause", "no", "--results", str(tmp_path)]) == 2
    assert not (tmp_path / "demo" / "requests").exists()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_epoch_is_trained_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path)
    running = SearchProcess(tmp_path, "--trials", "4", epoch_seconds=1.0)
    running.until_epochs(3)
    assert main(["pause", "s", "--json"]) == 0
    captured = capsys.readouterr()
    status = json.loads(captured.out)
    assert status["reason"] == "paused" and status["states"]["interrupted"] == 2 and "paused s after" in captured.err
    _, out, err = running.wait()
    assert "paused, as 'tuner pause' asked; go on with: tuner search space.yaml --trials 4 --resume" in err
    assert "interrupted" in out
    code, _, err = search(tmp_path, "--trials", "4", "--resume")
    assert code == 0, err
    assert_exactly_once(tmp_path, 4)
    for number, trial in history(tmp_path).trials.items():
        lines = (tmp_path / f"results/s/logs/{number}.log").read_text().splitlines()
        epochs = [line for line in lines if line.startswith("epoch ")]
        assert sorted(epochs) == sorted(f"epoch {epoch}" for epoch in trial.epochs)
