"""Processes that are killed, hang or eat all memory, in real searches: trials go on from their checkpoints."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.faults.audit import TRIALS, audit
from tests.faults.audit import prepare as prepare_formula
from tests.faults.brake import advance, hold, release
from tests.faults.memory import bounded_memory
from tests.faults.processes import kill_child
from tests.study.searches import SPACE, SearchProcess, assert_exactly_once, history, prepare, search
from tuner.facts.records import State
from tuner.journal.events import Epoch, Event, Retry
from tuner.journal.log import read_events

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # also on a machine that does much else


def test_kill_nine_of_the_driver_at_random_moments(tmp_path: Path) -> None:
    """The long run does it many more times: ``tests/long/kills.py``."""
    prepare_formula(tmp_path)
    hold(tmp_path)
    chance = random.Random(0)
    before: list[Event] = []
    for torn in (True, False, True, False):
        running = SearchProcess(tmp_path, "--resume", "--trials", "20")
        advance(running, chance.randrange(2, 8))
        running.kill()
        now = read_events(tmp_path / "results/s")
        assert now[: len(before)] == before
        before = now
        if torn:
            with (tmp_path / "results/s/events.jsonl").open("ab") as log:
                log.write(b'{"v":1,"type":"epoch","at":17')
    release(tmp_path)
    code, _, err = search(tmp_path, "--resume", "--trials", "20")
    assert code == 0, err
    assert audit(tmp_path, 20, earlier=before).findings == ()


def test_a_killed_worker_is_retried_from_its_checkpoint(tmp_path: Path) -> None:
    prepare(
        tmp_path,
        trainable="""
        import os
        import pathlib
        import time

        def train(config, checkpoint):
            state = checkpoint / "epoch"
            done = int(state.read_text()) if state.exists() else 0
            for epoch in range(done + 1, 10):
                while epoch == 3 and not pathlib.Path("go").exists():
                    time.sleep(0.02)
                state.write_text(str(epoch))
                yield {"acc": config["x"] + epoch, "pid": os.getpid()}
        """,
    )
    running = SearchProcess(tmp_path, "--trials", "4", "--set", "scheduler.type=none")
    running.until_epochs(4)  # two trials are at their third epoch, and stay there
    victim = [event for event in read_events(tmp_path / "results/s") if isinstance(event, Epoch)][-1]
    pid = victim.metrics["pid"]
    assert pid is not None
    os.kill(int(pid), signal.SIGKILL)
    running.until(lambda events: any(isinstance(event, Retry) for event in events))
    (tmp_path / "go").touch()
    code, _, err = running.wait()
    assert code == 0, err
    assert_exactly_once(tmp_path, 4)
    retries = [event for event in read_events(tmp_path / "results/s") if isinstance(event, Retry)]
    assert [retry.n for retry in retries] == [victim.n] and retries[0].lost
    attempts = {report.epoch: report.attempt for report in history(tmp_path).trials[victim.n].epochs.values()}
    assert attempts == {epoch: 1 if epoch <= 2 else 2 for epoch in range(1, 10)}


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


def test_a_finally_that_hangs_is_ended_and_the_next_trial_runs(tmp_path: Path) -> None:
    prepare(
        tmp_path,
        space=SPACE.replace("max_concurrent: 2}", "max_concurrent: 1}\n    trial_timeout: 10"),
        trainable="""
        import pathlib
        import time

        def train(config):
            try:
                for epoch in range(1, 10):
                    yield {"acc": config["x"]}
            finally:
                if not pathlib.Path("hung").exists():
                    pathlib.Path("hung").touch()
                    time.sleep(1000)
        """,
    )
    code, _, err = search(tmp_path, "--trials", "3")
    assert code == 0, err
    assert (tmp_path / "hung").exists()
    assert_exactly_once(tmp_path, 3)


def test_a_driver_that_was_paused_goes_on(tmp_path: Path) -> None:
    """As by Ctrl-Z: what its trials said meanwhile waited for it, and none of them was hanging."""
    prepare_formula(tmp_path)
    running = SearchProcess(tmp_path, "--set", "trial_timeout=10", epoch_seconds=0.3)
    running.until_epochs(3)
    running.process.send_signal(signal.SIGSTOP)
    time.sleep(12)  # longer than it waits for a report
    running.process.send_signal(signal.SIGCONT)
    code, _, err = running.wait()
    assert code == 0, err
    assert audit(tmp_path, TRIALS).findings == ()


def test_memory_that_runs_out(tmp_path: Path) -> None:
    """A refused allocation is the configuration's; a process that the kernel kills is retried, and then given up."""
    prepare(
        tmp_path,
        space="""
        name: s
        trainable: mine:train
        metric: {name: acc, goal: maximize}
        search: {algorithm: random, trials: 4}
        scheduler: {type: none}
        resources: {max_concurrent: 1}
        retries: 1
        parameters:
          kind: {values: [refused, killed once, killed always, good]}
        """,
        trainable="""
        import os
        import pathlib

        def train(config, checkpoint):
            state, kind = checkpoint / "epoch", config["kind"]
            done = int(state.read_text()) if state.exists() else 0
            for epoch in range(done + 1, 4):
                if epoch == 2 and kind == "refused":
                    bytes(1 << 60)  # more than any machine can address
                if epoch == 2 and (kind == "killed always" or (kind == "killed once" and done == 0)):
                    pathlib.Path(os.environ["BOUNDED_MEMORY"]).write_text(str(os.getpid()))
                    kept = b"a" * (1 << 29)
                state.write_text(str(epoch))
                yield {"acc": epoch / 3}
        """,
    )
    with bounded_memory(200 << 20) as group, pytest.MonkeyPatch.context() as patch:
        patch.setenv("BOUNDED_MEMORY", str(group))
        code, _, err = search(tmp_path)
    assert code == 3, err
    trials = {trial.ask.config["kind"]: trial for trial in history(tmp_path).trials.values()}
    ended = {kind: (trial.state, trial.attempt, sorted(trial.epochs)) for kind, trial in trials.items()}
    assert ended == {
        "refused": (State.OUT_OF_MEMORY, 1, [1]),
        "killed once": (State.COMPLETED, 2, [1, 2, 3]),
        "killed always": (State.FAILED, 2, [1]),
        "good": (State.COMPLETED, 1, [1, 2, 3]),
    }
    assert trials["killed always"].end is not None and trials["killed always"].end.stop_reason == "lost"


def test_a_ray_that_dies_ends_the_search(tmp_path: Path) -> None:
    """Its control store is killed, as with the head of a cluster: Ray itself would end the driver after a minute."""
    prepare_formula(tmp_path)
    hold(tmp_path)
    running = SearchProcess(tmp_path)
    advance(running, 6)
    assert kill_child(running.process.pid, "gcs_server")
    code, _, err = running.wait()  # held: without Ray's control store it might come to its end before this is noticed
    assert code == 4 and err.splitlines()[-1] == "tuner: error: Ray died while the search ran; go on with --resume"
    before = read_events(tmp_path / "results/s")
    release(tmp_path)
    code, _, err = search(tmp_path, "--resume")
    assert code == 0, err
    assert audit(tmp_path, TRIALS, earlier=before).findings == ()
