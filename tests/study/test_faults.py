"""Faults, injected into real searches: nothing finished is lost, nothing is counted twice."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.study.searches import SPACE, SearchProcess, assert_exactly_once, history, prepare, search
from tuner.journal.events import Ask, End, Epoch, Retry
from tuner.journal.log import read_events

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", range(2))
def test_kill_nine_of_the_driver_at_random_moments(tmp_path: Path, seed: int) -> None:
    prepare(tmp_path)
    chance = random.Random(seed)
    ended_before: dict[int, object] = {}
    for _ in range(3):
        running = SearchProcess(tmp_path, "--resume", "--trials", "20", epoch_seconds=0.15)
        running.until_epochs(running.epochs() + chance.randrange(3, 15))
        running.kill()
        now = {n: trial.end for n, trial in history(tmp_path).trials.items() if trial.end is not None}
        assert ended_before.items() <= now.items(), "what had ended stays as it ended"
        ended_before = now
        if chance.random() < 0.5:
            with (tmp_path / "results/s/events.jsonl").open("ab") as log:
                log.write(b'{"v":1,"type":"epoch","at":17')
    code, _, err = search(tmp_path, "--resume", "--trials", "20")
    assert code == 0, err
    assert_exactly_once(tmp_path, 20)


def test_a_killed_worker_is_retried_from_its_checkpoint(tmp_path: Path) -> None:
    prepare(tmp_path)
    # Without stopping, the trial of the last of four reports is at its second epoch or so when it is killed.
    running = SearchProcess(tmp_path, "--trials", "4", "--set", "scheduler.type=none", epoch_seconds=0.4)
    running.until_epochs(4)
    reports = [event for event in read_events(tmp_path / "results/s") if isinstance(event, Epoch)]
    victim = reports[-1]
    pid = victim.metrics["pid"]
    assert pid is not None
    os.kill(int(pid), signal.SIGKILL)
    code, _, err = running.wait()
    assert code == 0, err
    assert_exactly_once(tmp_path, 4)
    retries = [event for event in read_events(tmp_path / "results/s") if isinstance(event, Retry)]
    assert [retry.n for retry in retries] == [victim.n] and retries[0].lost
    attempts = {report.epoch: report.attempt for report in history(tmp_path).trials[victim.n].epochs.values()}
    assert attempts[victim.epoch] == 1 and attempts[max(attempts)] == 2


def test_two_drivers_on_one_search(tmp_path: Path) -> None:
    prepare(tmp_path)
    first = SearchProcess(tmp_path, epoch_seconds=0.6)
    first.until_epochs(3)
    code, out, err = search(tmp_path, "--restart")
    assert code == 5 and "held by a running search" in err and out == ""
    code, out, err = search(tmp_path, "--resume")
    assert code == 5 and "held by a running search" in err and out == ""
    code, _, err = first.wait()
    assert code == 0, err
    assert_exactly_once(tmp_path, 12)


def test_a_moved_folder_resumes(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    prepare(old)
    running = SearchProcess(old, epoch_seconds=0.2)
    running.until_epochs(15)
    running.kill()
    shutil.copytree(old, new)
    shutil.rmtree(old)
    code, _, err = search(new, "--resume")
    assert code == 0, err
    assert_exactly_once(new, 12)


def test_damage_is_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    prepare(tmp_path)
    running = SearchProcess(tmp_path, epoch_seconds=0.1)
    running.until_epochs(10)
    running.kill()
    path = tmp_path / "results/s/events.jsonl"
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(data)
    code, out, err = search(tmp_path, "--resume")
    assert code == 5 and "is damaged" in err and out == ""
    assert path.read_bytes() == data


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    prepare(tmp_path)
    running = SearchProcess(tmp_path, epoch_seconds=0.2)
    running.until_epochs(4)
    running.process.send_signal(signal.SIGINT)
    running.process.send_signal(signal.SIGINT)
    code, _, _ = running.wait()
    assert code == 130
    code, _, err = search(tmp_path, "--resume")
    assert code == 0, err
    assert_exactly_once(tmp_path, 12)


def test_a_finally_that_hangs_is_ended_and_the_next_trial_runs(tmp_path: Path) -> None:
    prepare(
        tmp_path,
        space=SPACE.replace("max_concurrent: 2}", "max_concurrent: 1}\n    trial_timeout: 4"),
        trainable="""
        import time

        def train(config):
            try:
                for epoch in range(1, 10):
                    yield {"acc": config["x"]}
            finally:
                if config["seed"] % 3 == 0:
                    time.sleep(1000)
        """,
    )
    code, _, err = search(tmp_path, "--trials", "5")
    assert code == 0, err
    assert_exactly_once(tmp_path, 5)


def test_a_worker_killed_while_it_is_reset_costs_no_trial(tmp_path: Path) -> None:
    prepare(
        tmp_path,
        space=SPACE.replace("max_concurrent: 2", "max_concurrent: 1"),
        trainable="""
        import os
        import pathlib
        import time

        def train(config):
            try:
                for epoch in range(1, 10):
                    yield {"acc": config["x"] / epoch, "pid": os.getpid()}
            finally:
                if not pathlib.Path("killed").exists():
                    pathlib.Path("killed").touch()
                    time.sleep(0.5)
                    os._exit(1)
        """,
    )
    code, _, err = search(tmp_path, "--trials", "4")
    assert code == 0, err
    assert (tmp_path / "killed").exists()
    assert_exactly_once(tmp_path, 4)


def test_a_disk_that_is_full_for_checkpoints(tmp_path: Path) -> None:
    """One sentence and exit 6; with room again, the search goes on and finishes."""
    prepare(
        tmp_path,
        trainable="""
        import pathlib

        def train(config, checkpoint):
            for epoch in range(1, 10):
                (checkpoint / "state").write_bytes(bytes(1_500_000))
                yield {"acc": config["x"] / epoch}
        """,
    )
    disk = tmp_path / "results"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], check=True)
    try:
        code, _, err = search(tmp_path)
        assert code == 6 and "No space left on device" in err, err
        assert "Traceback" not in err
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        code, _, err = search(tmp_path, "--resume")
        assert code == 0, err
        assert_exactly_once(tmp_path, 12)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_restart_beside_a_driver_that_is_starting(tmp_path: Path) -> None:
    """Whoever comes first has the folder; the other is refused, and no log holds two searches."""
    prepare(tmp_path)
    code, _, err = search(tmp_path, "--trials", "2")
    assert code == 0, err
    first = SearchProcess(tmp_path, "--trials", "4", "--resume")
    second = SearchProcess(tmp_path, "--trials", "3", "--restart")
    codes = sorted([first.wait()[0], second.wait()[0]])
    assert codes in ([0, 5], [0, 2], [0, 0]), codes
    folders = sorted(path.name for path in (tmp_path / "results").iterdir())
    for name in folders:
        numbers = [event.n for event in read_events(tmp_path / "results" / name) if isinstance(event, Ask)]
        assert len(numbers) == len(set(numbers))
        ended = {event.n for event in read_events(tmp_path / "results" / name) if isinstance(event, End)}
        assert ended == set(numbers)


def test_a_signal_while_it_starts(tmp_path: Path) -> None:
    """Nothing is left behind, whichever moment it meets."""
    prepare(tmp_path)
    for delay in (0.5, 2.0):
        starting = SearchProcess(tmp_path)
        time.sleep(delay)
        starting.process.send_signal(signal.SIGTERM)
        code, _, err = starting.wait()
        assert code in (143, -signal.SIGTERM), err
        assert "Traceback" not in err
    code, _, err = search(tmp_path, "--resume")
    assert code == 0, err
    assert_exactly_once(tmp_path, 12)
