"""Reports of a trial that has ended: the same as before, in a fraction of the memory."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from tuner.facts.records import Decision, Origin, State
from tuner.journal.events import Ask, End, Epoch, Rung, Start
from tuner.journal.history import History
from tuner.journal.reports import Reports

NAMES = ("val_loss", "train_loss", "train_accuracy", "lr_now", "grad_norm", "images_per_second", "epoch_seconds")


def report(epoch: int, *, n: int = 0, attempt: int = 1, memory: float | None = None, **metrics: float | None) -> Epoch:
    return Epoch(
        at=1769882400.1 + epoch,
        n=n,
        attempt=attempt,
        epoch=epoch,
        score=epoch / 7,
        metrics=metrics,
        seconds=0.1 * epoch,
        memory_mb=memory,
        checkpoint=None if epoch % 2 else f"a{attempt}-e{epoch}",
    )


def test_each_report_is_what_it_was() -> None:
    epochs = {
        4: report(4, attempt=2, memory=512.5, val_loss=-0.0, train_loss=1e-300),
        2: report(2, val_loss=1 / 3, train_loss=None),
        1: report(1, val_loss=2.5, train_loss=0.1),
    }
    packed = Reports(0, epochs)
    assert list(packed.items()) == [(epoch, epochs[epoch]) for epoch in (1, 2, 4)]
    assert len(packed) == 3 and 3 not in packed and packed.get(5) is None
    with pytest.raises(KeyError):
        packed[0]
    assert dict(Reports(0, {})) == {}


def test_what_some_epochs_leave_out_is_null_in_them() -> None:
    packed = Reports(0, {1: report(1), 2: report(2, extra=0.5)})
    assert [packed[epoch].metrics for epoch in (1, 2)] == [{"extra": None}, {"extra": 0.5}]


def one_trial(n: int, epochs: int = 9) -> list[Ask | Start | Epoch | Rung | End]:
    config = {f"parameter_{place}": n + place / 7 for place in range(10)}
    reports = [
        report(epoch, n=n, **{name: n + epoch / (place + 3) for place, name in enumerate(NAMES)})
        for epoch in range(1, epochs + 1)
    ]
    return [
        Ask(at=1.0 * n, n=n, config=config, origin=Origin.RANDOM),
        Start(at=1.0 * n, n=n, attempt=1, node="node", device="cpu"),
        *reports,
        Rung(at=1.0 * n, n=n, attempt=1, epoch=3, value=reports[2].score, decision=Decision.CONTINUE),
        End(at=1.0 * n, n=n, attempt=1, state=State.COMPLETED, stop_reason="budget"),
    ]


def test_a_trial_that_has_ended_takes_little_memory() -> None:
    history, trials = History(), 200
    tracemalloc.start()
    try:
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        for n in range(trials):
            for event in one_trial(n):
                history.apply(event)
        gc.collect()
        taken = (tracemalloc.get_traced_memory()[0] - before) / trials
    finally:
        tracemalloc.stop()
    assert taken < 3000, "bytes; of 9 reports with 11 numbers each 792 are the numbers themselves"
    assert history.epochs == 9 * trials and len(history.trials[7].epochs) == 9
