"""Progress of ``tuner train``."""

from __future__ import annotations

import pytest

from tuner.cli import epochs


def test_the_time_left_counts_the_epochs_of_all_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    live = epochs._Live(epochs=10, seeds=3)
    live.seed_began(0)
    try:
        assert live._progress is not None
        bar = live._progress.tasks[0]
        for epoch in (4, 5):  # the first three were trained before an interruption
            clock[0] += 60
            live.epoch_ended({"epoch": epoch})
        assert bar.fields["left"] == "25m00s left"
        live.seed_ended({"seed": 0, "stop_reason": "budget", "epochs": [{}], "test": None})
        live.seed_began(1)
        live.epoch_ended({"epoch": 1})
        assert live._progress.tasks[0].fields["left"] == "12m40s left"  # 2 minutes by now for 3 epochs
    finally:
        live.close()


@pytest.mark.parametrize(("count", "said"), [(1, "trained 1 epoch\n"), (2, "trained 2 epochs\n")])
def test_one_epoch_is_no_plural(capsys: pytest.CaptureFixture[str], count: int, said: str) -> None:
    with epochs.progress("lines", 2, 1) as listener:
        listener.seed_ended({"seed": 0, "stop_reason": "budget", "epochs": [{}] * count, "test": None})
    assert capsys.readouterr().err.endswith(said)
