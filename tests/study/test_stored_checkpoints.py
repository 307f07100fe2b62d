"""Kills of workers and drivers where checkpoints and logs of trials lie on object storage (a real S3 server)."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.storage.server import S3Server, s3
from tests.study.searches import SearchProcess, assert_exactly_once, events_of, history, prepare, search, stored_in
from tuner.journal.events import Retry
from tuner.storage.objects import Objects

__all__ = ["s3"]

pytestmark = pytest.mark.slow

#: Each epoch that is trained is a line in a file, whatever becomes of it.
COUNTED = """
    import os
    import pathlib
    import time

    def train(config, checkpoint):
        state = checkpoint / "epoch"
        done = int(state.read_text()) if state.exists() else 0
        for epoch in range(done + 1, 10):
            time.sleep(float(os.environ["EPOCH_SECONDS"]))
            state.write_text(str(epoch))
            with pathlib.Path("trained").open("a") as file:
                file.write(f"{config['x']} {epoch}\\n")
            print(f"epoch {epoch}")
            yield {"acc": 1.0 - (config["x"] - 0.3) ** 2 - 0.5 / epoch, "pid": os.getpid()}
"""


def test_trials_go_on_from_their_checkpoints_after_kills(s3: S3Server, tmp_path: Path) -> None:
    """At most the epoch that was being trained is trained again, once for each lost attempt."""
    address = s3.address("kills")
    prepare(tmp_path, space=stored_in(address), trainable=COUNTED)
    running = SearchProcess(tmp_path, "--trials", "6", epoch_seconds=0.4)
    running.until_epochs(5)
    alive = (trial for trial in history(tmp_path).trials.values() if trial.end is None and trial.epochs)
    victim = min(alive, key=lambda trial: trial.last_epoch)
    os.kill(int(victim.epochs[victim.last_epoch].metrics["pid"] or 0), signal.SIGKILL)
    running.until(lambda events: any(isinstance(event, Retry) and event.lost for event in events))
    running.until_epochs(running.epochs() + 4)
    running.kill()
    code, _, err = search(tmp_path, "--trials", "6", "--resume", epoch_seconds=0.1)
    assert code == 0, err
    assert_exactly_once(tmp_path, 6)
    assert any(isinstance(event, Retry) and event.n == victim.number and event.lost for event in events_of(tmp_path))

    trained = Counter(line.split()[0] for line in (tmp_path / "trained").read_text().splitlines())
    below = Objects.at(f"{address}/s")
    for trial in history(tmp_path).trials.values():
        repeated = trained[str(trial.ask.config["x"])] - trial.last_epoch
        assert 0 <= repeated < trial.attempt, f"trial {trial.number} trained {repeated} epochs twice"
        assert f"epoch {trial.last_epoch}\n".encode() in (below.get(f"logs/{trial.number}.log") or b"")
    kept = [stored.name for stored in below.list("checkpoints/")]
    assert len(kept) <= 3 and all(name.endswith("-e9.tar") for name in kept), "the best three, the newest of each"
