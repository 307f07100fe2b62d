"""Searches with results on object storage: a real S3 server, a real proxy that spoils it, and drivers that die."""

from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import tuner
from tests.faults.audit import SPACE, prepare
from tests.faults.brake import advance, hold, release
from tests.storage.proxy import Fault, proxy_before
from tests.storage.server import BUCKET, S3Server, s3
from tests.study.searches import SearchProcess, assert_exactly_once, history, search, stored_in

__all__ = ["s3"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

#: A search goes on from Python; what it returns is good for reading as long as the process lives.
RESUME = """
import tuner
outcome = tuner.run("space.yaml", resume=True)
print(len(tuner.read_leaderboard(outcome.folder)), int(outcome.code))
"""


def test_kill_nine_of_the_driver_on_a_storage_that_fails_now_and_then(s3: S3Server, tmp_path: Path) -> None:
    address = s3.address("kills")
    prepare(tmp_path, stored_in(address, SPACE))
    hold(tmp_path)
    chance = random.Random(1)
    with proxy_before(s3, seed=1) as proxy:
        through = s3.environment(proxy.url)
        proxy.faults = [
            Fault(status=503, share=0.05),
            Fault(lost=True, methods=("PUT",), share=0.05),
            Fault(seconds=0.1, share=0.1),
        ]
        ended_before: dict[int, object] = {}
        for _ in range(2):
            running = SearchProcess(tmp_path, "--resume", environment=through)
            advance(running, chance.randrange(4, 9))
            if not ended_before:
                code, out, err = search(tmp_path, "--resume", environment=through)
                assert code == 5 and f"{address}/s is held by a running search" in err and out == ""
                assert set(tuner.read_leaderboard(address)["state"]).isdisjoint({"interrupted", "failed"})
            running.kill()
            now = {n: trial.end for n, trial in history(tmp_path).trials.items() if trial.end is not None}
            assert ended_before.items() <= now.items(), "what had ended stays as it ended"
            ended_before = now
            assert "running" not in set(tuner.read_leaderboard(address)["state"])
        release(tmp_path)
        code, _, err = search(tmp_path, "--resume", environment=through)
        assert code == 0, err
        assert all(fault.met for fault in proxy.faults)
    assert_exactly_once(tmp_path, 12)
    assert_leaderboard_is_the_logs(s3, tmp_path, "kills")


def test_a_storage_that_goes_away_ends_the_search_which_goes_on_later(s3: S3Server, tmp_path: Path) -> None:
    address = s3.address("away")
    prepare(tmp_path, stored_in(address, SPACE))
    hold(tmp_path)
    with proxy_before(s3) as proxy:
        through = s3.environment(proxy.url)
        running = SearchProcess(tmp_path, environment=through)
        advance(running, 5)
        with proxy.away():
            release(tmp_path)
            code, _, err = running.wait()
        said = err.strip().splitlines()[-1]
        assert code == 6 and f"{address}/s/" in said and "it cannot be reached" in said, err
        assert "Traceback" not in err
        done = subprocess.run(
            [sys.executable, "-c", RESUME],
            check=False,
            cwd=tmp_path,
            env=os.environ | through,
            text=True,
            capture_output=True,
        )
    assert done.stdout.splitlines()[-1:] == ["12 0"], done.stderr
    assert_exactly_once(tmp_path, 12)
    assert_leaderboard_is_the_logs(s3, tmp_path, "away")


def test_a_driver_that_was_asleep_is_taken_over_and_stops(s3: S3Server, tmp_path: Path) -> None:
    """It slept for longer than Ray may be silent, and does not take that for Ray's death."""
    address = s3.address("asleep")
    prepare(tmp_path, stored_in(address, SPACE))
    hold(tmp_path)
    asleep = SearchProcess(tmp_path)
    advance(asleep, 5)
    os.kill(asleep.process.pid, signal.SIGSTOP)
    try:
        other = SearchProcess(tmp_path, "--resume")
        advance(other, 1)
    finally:
        os.kill(asleep.process.pid, signal.SIGCONT)
    release(tmp_path)
    code, _, err = asleep.wait()
    assert code == 5 and "was taken over by another search" in err, err
    assert "Traceback" not in err
    code, _, err = other.wait()
    assert code == 0, err
    assert_exactly_once(tmp_path, 12)
    assert_leaderboard_is_the_logs(s3, tmp_path, "asleep")


def assert_leaderboard_is_the_logs(s3: S3Server, folder: Path, prefix: str) -> None:
    """The stored file is what anybody's pandas reads, is what Tuner reads, and says what the log says."""
    stored = s3.client().get_object(Bucket=BUCKET, Key=f"{prefix}/s/leaderboard.parquet")["Body"].read()
    frame = pd.read_parquet(io.BytesIO(stored))
    pd.testing.assert_frame_equal(frame, tuner.read_leaderboard(s3.address(prefix)))
    trials = history(folder).trials
    assert dict(zip(frame["number"], frame["state"], strict=True)) == {n: trials[n].state for n in trials}
    for path, number in zip(frame["checkpoint"], frame["number"], strict=True):
        if not pd.isna(path):
            assert path.startswith(f"checkpoints/{number}/")
            s3.client().head_object(Bucket=BUCKET, Key=f"{prefix}/s/{path}")
