"""``tuner search`` end to end under a real Ray: results, resume, exit codes, endings that are told as they are."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.study.searches import SPACE, TRAINABLE, SearchProcess, assert_exactly_once, history, prepare, search
from tuner.facts.records import State


def test_a_search_of_ones_own_trainable(tmp_path: Path) -> None:
    """One search, and what people look at afterwards."""
    prepare(tmp_path)
    code, out, err = search(tmp_path, "--json")
    assert code == 0, err
    record = json.loads(out)
    assert record["search"] == "s" and record["version"] == 1
    assert_exactly_once(tmp_path, 12)
    board = pd.read_parquet(tmp_path / "results/s/leaderboard.parquet")
    assert len(board) == 12
    assert set(board["state"]) <= {"completed", "stopped"}
    best = board.iloc[0]
    assert best["rank"] == 1 and best["score"] == board["score"].max() and best["best_epoch"] == 9
    assert board["train_seconds"].min() > 0.1
    assert "12 trials, 2 side by side (1 CPU each)" in err
    assert err.count("] trial ") == 12
    kept = {path.name for path in (tmp_path / "results/s/checkpoints").iterdir()}
    assert kept == {str(number) for number in board.query("rank <= 3")["number"]}
    assert (tmp_path / "results/s" / best["checkpoint"] / "epoch").read_text() == "9"
    assert "epoch 9" in (tmp_path / f"results/s/logs/{best['number']}.log").read_text()

    # A finished search is shown again and left alone; a larger one goes on; another one is refused.
    before = (tmp_path / "results/s/events.jsonl").read_bytes()
    code, out, err = search(tmp_path, "--json")
    assert code == 0 and json.loads(out) == record and "nothing was run" in err
    assert err.endswith(f"next: tuner show s/{best['number']}\n")
    assert (tmp_path / "results/s/events.jsonl").read_bytes() == before
    code, out, err = search(tmp_path, "--seed", "4")
    assert code == 2 and "search.seed (3, now 4)" in err and out == ""
    assert (tmp_path / "results/s/events.jsonl").read_bytes() == before
    code, out, err = search(tmp_path, "--trials", "14", "--resume")
    assert code == 0, err
    assert_exactly_once(tmp_path, 14)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_in_good_order_and_says_how_to_go_on(tmp_path: Path, number: signal.Signals, code: int) -> None:
    prepare(tmp_path)
    running = SearchProcess(tmp_path, "--trials", "6", epoch_seconds=0.3)
    running.until_epochs(8)
    running.process.send_signal(number)
    ended, _, err = running.wait()
    assert ended == code
    assert "tuner search space.yaml --trials 6 --resume" in err
    board = pd.read_parquet(tmp_path / "results/s/leaderboard.parquet")
    assert "interrupted" in set(board["state"]) and "running" not in set(board["state"])
    again, _, err = search(tmp_path, "--trials", "6")
    assert again == 2 and "--resume" in err
    finished, _, err = search(tmp_path, "--trials", "6", "--resume")
    assert finished == 0, err
    assert_exactly_once(tmp_path, 6)
    for trial in history(tmp_path).trials.values():  # what had a checkpoint went on from it
        log = (tmp_path / f"results/s/logs/{trial.number}.log").read_text().splitlines()  # also how a process was ended
        again = [line for line in set(log) if line.startswith("epoch ") and log.count(line) > 1]
        assert len(again) <= 1, "more than the one epoch that was lost with its process was trained again"


def test_every_way_to_end_is_told(tmp_path: Path) -> None:
    """Failed, diverged, out of memory, timed out and completed, side by side; the process is replaced each time."""
    prepare(
        tmp_path,
        space="""
        name: s
        trainable: mine:train
        metric: {name: acc, goal: maximize}
        search: {algorithm: random, trials: 5}
        scheduler: {type: none}
        resources: {max_concurrent: 1}
        trial_timeout: 5
        parameters:
          kind: {values: [fail, diverge, memory, hang, good]}
        """,
        trainable="""
        import os
        import time

        def train(config):
            yield {"acc": 0.5, "pid": os.getpid()}
            if config["kind"] == "fail":
                raise ValueError("bad luck")
            if config["kind"] == "memory":
                raise MemoryError("no more")
            if config["kind"] == "hang":
                time.sleep(600)
            yield {"acc": float("nan") if config["kind"] == "diverge" else 0.7, "pid": os.getpid()}
        """,
    )
    code, _, err = search(tmp_path)
    assert code == 3, err
    trials = {trial.ask.config["kind"]: trial for trial in history(tmp_path).trials.values()}
    assert {kind: trial.state for kind, trial in trials.items()} == {
        "fail": State.FAILED,
        "diverge": State.DIVERGED,
        "memory": State.OUT_OF_MEMORY,
        "hang": State.FAILED,
        "good": State.COMPLETED,
    }
    ends = {kind: trial.end for kind, trial in trials.items() if trial.end is not None}
    assert ends["fail"].error == "ValueError: bad luck"
    assert ends["hang"].stop_reason == "timeout"
    assert all(trial.attempt == 1 for trial in trials.values()), "an error in the code is not retried"
    pids = {kind: trial.epochs[1].metrics["pid"] for kind, trial in trials.items()}
    broken = [pids[kind] for kind in ("fail", "diverge", "memory", "hang")]
    assert len(set(broken)) == 4, "a process that served a broken trial serves no other"
    board = pd.read_parquet(tmp_path / "results/s/leaderboard.parquet").set_index("kind")
    assert board.loc["good", "rank"] == 1
    assert board.loc[["fail", "diverge", "memory"], "score"].isna().all()
    assert "Traceback" in (tmp_path / f"results/s/logs/{trials['fail'].number}.log").read_text()


def test_a_search_whose_first_trials_all_fail_ends_early(tmp_path: Path) -> None:
    prepare(tmp_path, trainable="def train(config):\n    yield {'acc': config['y']}\n")
    code, _, err = search(tmp_path)
    assert code == 1
    assert "the first trials all failed with: KeyError: 'y'" in err
    assert len(history(tmp_path).trials) < 12


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--gpus-per-trial", "1"), "there is no GPU"),
        (("--cpus-per-trial", "4096"), "no machine has more than"),
    ],
)
def test_resources_that_are_not_there_are_an_error(tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    prepare(tmp_path)
    code, out, err = search(tmp_path, *arguments)
    assert code == 2 and sentence in err and out == ""
    assert not (tmp_path / "results").exists()


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    prepare(tmp_path)
    code, _, err = search(tmp_path, "--dry-run")
    assert code == 0 and "2 trials side by side" in err
    assert {path.name for path in tmp_path.iterdir()} <= {"space.yaml", "mine.py", "__pycache__"}


def test_a_time_budget_is_a_budget(tmp_path: Path) -> None:
    prepare(tmp_path)
    code, _, err = search(tmp_path, "--time-budget", "20", epoch_seconds=0.8)
    assert code == 0, err
    board = pd.read_parquet(tmp_path / "results/s/leaderboard.parquet")
    assert 0 < len(board) < 12
    code, _, err = search(tmp_path, "--time-budget", "20s")
    assert code == 0 and "time budget is used up" in err and "tuner extend s --trials 0 --set time_budget=X" in err
    code, _, err = search(tmp_path, "--time-budget", "1h", "--resume")
    assert code == 0, err
    assert_exactly_once(tmp_path, 12)


def test_a_search_from_python(tmp_path: Path) -> None:
    """``tuner.run`` also in a thread, as notebooks and servers do, and ``tuner.read_leaderboard`` over its results."""
    prepare(tmp_path)
    script = """
import threading, tuner
outcomes = []
work = lambda: outcomes.append(tuner.run("space.yaml", trials=3, overrides={"scheduler.type": "none"}))
thread = threading.Thread(target=work)
thread.start()
thread.join()
board = tuner.read_leaderboard("results")
print(outcomes[0].reason, len(board), board["rank"].max(), set(board["search"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.stdout == "trials 3 3 {'s'}\n", done.stderr


def test_same_file_same_seed_one_slot_same_search(tmp_path: Path) -> None:
    seen = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        prepare(tmp_path / name, space=SPACE.replace("max_concurrent: 2", "max_concurrent: 1"), trainable=TRAINABLE)
        code, _, err = search(tmp_path / name, "--trials", "14", epoch_seconds=0)
        assert code == 0, err
        trials = history(tmp_path / name).trials.values()
        seen.append([(trial.ask.config, [report.score for report in trial.epochs.values()]) for trial in trials])
    assert seen[0] == seen[1]
