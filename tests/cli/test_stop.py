"""``tuner stop`` of a search: it ends in good order and goes on later."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_status import search as written
from tests.cluster.nodes import until
from tests.faults.audit import SPACE, prepare
from tests.faults.brake import advance, hold, release
from tests.storage.server import S3Server, s3
from tests.study.searches import SearchProcess, assert_exactly_once, history, search, stored_in
from tuner.cli.main import main
from tuner.journal.lock import is_held
from tuner.storage.copies import results_folder

__all__ = ["s3"]


def test_nothing_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path)
    assert main(["stop", "--results", str(tmp_path)]) == 2
    assert "demo does not run, so there is nothing to stop" in capsys.readouterr().err
    assert not (tmp_path / "demo" / "requests").exists()


def test_what_has_no_results_yet_may_be_a_job_that_waits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ([], ["demo"]):
        assert main(["stop", "--results", str(tmp_path), *name]) == 2
        assert "stopped by its id: tuner stop ID --address URL" in " ".join(capsys.readouterr().err.split())


def test_a_job_needs_its_id(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["stop", "--address", "http://head:8265"]) == 2
    assert "which job?" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("place", ["folder", "object storage"])
def test_a_search_that_was_asked_to_stop_ends_in_good_order_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], s3: S3Server, place: str
) -> None:
    results = str(tmp_path / "results") if place == "folder" else s3.address("stopped")
    prepare(tmp_path, stored_in(results, SPACE))
    hold(tmp_path)
    running = SearchProcess(tmp_path, "--trials", "6")
    advance(running, 4)
    follower = start("logs", "s", "--results", results, "--follow")
    assert main(["status", "s", "--results", results, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["live"]
    assert main(["logs", "s", "0", "--results", results]) == 0
    assert main(["stop", "s", "--results", results, "--json"]) == 0
    captured = capsys.readouterr()
    record = json.loads(captured.out.splitlines()[-1])
    assert record["reason"] == "stopped" and not record["live"] and "stopped s after" in captured.err
    code, out, err = running.wait()
    assert (
        code in (0, 1)
        and "stopped, as 'tuner stop' asked; go on with: tuner search space.yaml --trials 6 --resume" in err
    )
    assert "interrupted" in out
    assert follower.communicate(timeout=200)[0].splitlines()[-1].endswith(": stopped")
    starting = SearchProcess(tmp_path, "--trials", "6", "--resume")
    with results_folder(results, "s") as folder:
        until(lambda: is_held(folder / "s"))
    assert main(["stop", "s", "--results", results]) == 0
    assert "stopped s after" in capsys.readouterr().err
    assert "stopped, as 'tuner stop' asked" in starting.wait()[2]
    before = {n: trial.end for n, trial in history(tmp_path).trials.items() if trial.end is not None}
    release(tmp_path)
    code, _, err = search(tmp_path, "--trials", "6", "--resume")
    assert code == 0, err
    assert_exactly_once(tmp_path, 6)
    assert before.items() <= {n: trial.end for n, trial in history(tmp_path).trials.items()}.items()


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "tuner", *words], stdout=subprocess.PIPE, text=True)
