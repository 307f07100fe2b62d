"""The engine of comparisons: trains what a comparison's log lacks, each run exactly once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tuner.datasets.prepared import PreparedData
from tuner.datasets.split import reserved_images
from tuner.datasets.split_arrays import remove_split, split_arrays
from tuner.facts.errors import ExitCode, StorageError, relative_to_cwd
from tuner.facts.records import Origin
from tuner.hyperparameters.table import FIELDS
from tuner.journal.events import Ask, End, Event
from tuner.journal.history import History, Trial
from tuner.journal.log import Log, log_size, open_log
from tuner.search.ledger import Ledger
from tuner.search.proposer import Proposal
from tuner.search.schedulers.registry import SCHEDULERS
from tuner.space.searchfile import SearchFile
from tuner.space.space import with_defaults
from tuner.study.arrays import write_array
from tuner.study.checkpoint_stores import CheckpointStore, store_of
from tuner.study.comparison import Comparison
from tuner.study.drive import drive, exit_code
from tuner.study.job import Job, identity
from tuner.study.observer import Observer, Work
from tuner.study.preparation import job_of, prepare_data, prepare_weights
from tuner.study.runner import warn_of_versions
from tuner.study.signals import caught_signals
from tuner.study.workplace import Prepared, Workplace, workplace


@dataclass(frozen=True)
class Compared:
    """How a comparison ended for now.

    Attributes:
        reason: done, aborted, SIGINT or SIGTERM.
        code: The exit code of the command.
        error: What the first runs all failed with, if it was aborted.
    """

    reason: str
    code: ExitCode
    error: str | None = None


def compare(comparison: Comparison, *, address: str | None = None, observer: Observer) -> Compared:
    """Train what the log lacks.

    Args:
        comparison: What is compared.
        address: A Ray cluster to run on, as for ``run_search``.
        observer: Shown what happens.

    Raises:
        TunerError: The data or the machine cannot do what is asked, or results cannot be written.
    """
    if comparison.done:
        return Compared("done", exit_code(comparison.states(comparison.history()), "done"))
    file, folder = comparison.file, comparison.folder
    with caught_signals() as signals, _writer(folder) as log:
        if log.notice:
            observer.notice(log.notice)
        warn_of_versions(comparison.search, observer)
        with workplace(file, comparison.title, address, observer, lambda: _prepare(comparison)) as place:
            job = _job(comparison, place)
            concurrent = place.slots()
            signals.note()
            runs = _Runs(comparison.runs)
            count = runs.count_with(comparison.history())
            ledger = _ledger(file, log, runs, count, concurrent)
            checkpoints = store_of(folder / "checkpoints")
            drive(
                ledger,
                job,
                file,
                _work(comparison, concurrent),
                signals=signals,
                observer=observer,
                listeners=[lambda event: _clear(checkpoints, event)],
                slots=place.slots,
            )
        reason = signals.first.name if signals.first is not None else "aborted" if ledger.hopeless else "done"
        ledger.close(reason)
        checkpoints.keep_only({trial.number: trial.last_epoch for trial in ledger.history.unfinished})
    if reason == "done" and job.prepared is not None:
        for settings in _splits(comparison, comparison.split_seeds):
            remove_split(job.prepared, **settings)
    return Compared(reason, exit_code(comparison.states(ledger.history), reason), ledger.hopeless)


@contextmanager
def _writer(folder: Path) -> Iterator[Log]:
    """Make a comparison's folder and be its only writer; one in which nothing was begun is removed again."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{relative_to_cwd(folder)} cannot be made: {error.strerror}") from error
    with open_log(folder) as log:
        try:
            yield log
        finally:
            if log_size(folder) == 0:
                shutil.rmtree(folder, ignore_errors=True)
                with suppress(OSError):  # it may hold other comparisons, or the search
                    folder.parent.rmdir()


def _prepare(comparison: Comparison) -> Prepared:
    """Prepare what the runs need; what the data cannot give is an error here, before any of them starts."""
    file, search = comparison.file, comparison.search
    unfinished = [trial.ask.config for trial in comparison.history().unfinished]  # perhaps of another request
    configs = [with_defaults(config, FIELDS) for config in (*comparison.runs, *unfinished)]
    prepared = prepare_data(file, search, configs)
    weights = prepare_weights(file, search, configs)
    if prepared is not None:
        _write_images(comparison, prepared)
    return prepared, weights


def _job(comparison: Comparison, place: Workplace) -> Job:
    """Return what the runs share."""
    job = job_of(comparison.file, comparison.folder, place.prepared, place.weights, place.home)
    return replace(job, fresh_splits=True, reserved=comparison.reserved)


def _ledger(file: SearchFile, log: Log, runs: _Runs, count: int, concurrent: int) -> Ledger:
    return Ledger(
        log,
        runs,
        SCHEDULERS["none"](file.scheduler, file.metric.goal),
        goal=file.metric.goal,
        seed=file.search.seed,
        trials=count,
        slots=concurrent,
        retries=file.retries,
    )


def _clear(checkpoints: CheckpointStore, event: Event) -> None:
    """A listener of the ledger: what a run needed to go on is not needed any more."""
    if isinstance(event, End):
        checkpoints.remove_trial(event.n)


def _work(comparison: Comparison, concurrent: int) -> Work:
    names = {identity(item.run(seed)): item.name for item in comparison.configurations for seed in comparison.seeds}
    places = {seed: place for place, seed in enumerate(comparison.seeds, start=1)}

    def label(trial: Trial) -> str:
        name = names.get(identity(trial.ask.config), f"run {trial.number}")
        return f"{name}, seed {places.get(trial.ask.config['seed'], '?')}"

    return Work(
        title=comparison.title,
        concurrent=concurrent,
        resources=comparison.file.resources,
        how=f"{len(comparison.configurations)} configurations with {len(comparison.seeds)} seeds each",
        metric=comparison.file.metric,
        max_epochs=comparison.file.scheduler.max_epochs,
        noun="run",
        label=label,
        contest=False,
    )


class _Runs:
    """Hands out the runs that the log lacks, in order."""

    exhausted: bool

    def __init__(self, runs: Sequence[Mapping[str, Any]]) -> None:
        self._left = {identity(run): dict(run) for run in runs}
        self.exhausted = not self._left

    def count_with(self, history: History) -> int:
        """Return how many runs the log will hold: those of earlier, other requests stay in it."""
        return len(self._left.keys() | {identity(trial.ask.config) for trial in history.trials.values()})

    def observe(self, event: Event) -> None:
        if isinstance(event, Ask):
            self._left.pop(identity(event.config), None)
            self.exhausted = not self._left

    def propose(self, n: int) -> Proposal:
        return Proposal(next(iter(self._left.values())), Origin.POINT)


def _write_images(comparison: Comparison, prepared: PreparedData) -> None:
    """Write the images of the runs that are left."""
    if comparison.reserved is not None:
        labels = prepared.load_train()[1]
        write_array(comparison.labels_path, labels[reserved_images(labels, comparison.reserved)])
    for settings in _splits(comparison, comparison.open_split_seeds()):
        split_arrays(prepared, **settings)


def _splits(comparison: Comparison, split_seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Yield the settings of splits as ``split_arrays`` takes them."""
    data = comparison.file.data
    assert data is not None, "one's own trainable has no images of ours"
    for split_seed in split_seeds:
        yield {
            "validation": data.validation,
            "split_seed": split_seed,
            "train_images": data.train_images,
            "reserved": comparison.reserved,
        }
