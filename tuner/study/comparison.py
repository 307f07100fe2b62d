"""Configurations compared: each is trained with the same seeds, and so on the same images, exactly once.

A comparison has a folder of its own below its search's, with a log, checkpoints and what its runs printed. The log is
its truth, as a search's is: what is in it is never run again, and what is asked for beyond it is.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.datasets.split import Reserved, reserved_images
from tuner.datasets.split_arrays import remove_split, split_arrays
from tuner.facts.errors import ExitCode, StorageError, relative_to_cwd
from tuner.facts.records import Origin
from tuner.facts.seeds import derived_seed
from tuner.journal.events import Ask, End, Event
from tuner.journal.history import History, Trial
from tuner.journal.log import Log, open_log, read_events
from tuner.search.ledger import Ledger
from tuner.search.proposer import Proposal
from tuner.search.schedulers import SCHEDULERS
from tuner.space.searchfile import SearchFile
from tuner.study.arrays import read_array, write_array
from tuner.study.checkpoints import remove_all_but
from tuner.study.drive import drive, exit_code
from tuner.study.folder import Folder
from tuner.study.job import Job, fresh_split_seed, identity, probabilities_path
from tuner.study.observer import Observer, Work
from tuner.study.preparation import job_of, prepare_data, prepare_weights
from tuner.study.resources import local_ray, slots
from tuner.study.signals import caught_signals


@dataclass(frozen=True)
class Configuration:
    """A configuration and what people call it. ``config`` is without a seed."""

    name: str
    config: Mapping[str, Any]

    def run(self, seed: int) -> dict[str, Any]:
        """Return what its run with a seed is trained with."""
        return {**self.config, "seed": seed}


@dataclass(frozen=True)
class Comparison:
    """What is compared, and where.

    Attributes:
        search: The search's folder.
        file: The search's settings, with what the command line says of data and resources.
        folder: The comparison's folder.
        title: What people call it.
        configurations: With different names; two of them may be equal, and are then trained once.
        seeds: Each configuration is trained with each of them.
        reserved: Images that no run trains on, or None.
    """

    search: Folder
    file: SearchFile
    folder: Path
    title: str
    configurations: Sequence[Configuration]
    seeds: Sequence[int]
    reserved: Reserved | None = None

    @property
    def runs(self) -> list[dict[str, Any]]:
        """Return what is trained, seed by seed, so that an interrupted comparison holds whole pairs."""
        runs = [item.run(seed) for seed in self.seeds for item in self.configurations]
        return list({identity(run): run for run in runs}.values())

    @property
    def split_seeds(self) -> list[int]:
        """Return the seed of the split that goes with each of ``seeds``; none for one's own trainable."""
        data = self.file.data
        return [] if data is None else [fresh_split_seed(seed, besides=data.split_seed) for seed in self.seeds]

    def history(self) -> History:
        """Return what the log says, without locking it."""
        return History(read_events(self.folder))

    def trials(self, history: History) -> dict[str, list[Trial | None]]:
        """Return the name of each configuration to its runs, in the order of the seeds; None for one not begun."""
        known = {identity(trial.ask.config): trial for trial in history.trials.values()}
        return {item.name: [known.get(identity(item.run(seed))) for seed in self.seeds] for item in self.configurations}

    def probabilities(self, configuration: Configuration) -> NDArray[np.float32] | None:
        """Return what the runs of a configuration say about the reserved images, [seeds, images, classes].

        None where no images are reserved, or a run ended without weights that could be asked.
        """
        paths = [probabilities_path(self.folder, configuration.run(seed)) for seed in self.seeds]
        if self.reserved is None or not all(path.exists() for path in paths):
            return None
        return np.stack([read_array(path) for path in paths])

    def reserved_labels(self) -> NDArray[np.int64]:
        """Return the labels of the reserved images."""
        return read_array(_labels_path(self.folder))


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


def fresh_seeds(search_seed: int, purpose: str, count: int) -> tuple[int, ...]:
    """Return seeds that no trial of a search had but by chance; a larger count begins with those of a smaller."""
    return tuple(derived_seed(search_seed, f"{purpose} {k}") for k in range(count))


def is_done(comparison: Comparison) -> bool:
    """Return whether every run has ended."""
    rows = comparison.trials(comparison.history()).values()
    return all(trial is not None and trial.end is not None for row in rows for trial in row)


def compare(comparison: Comparison, *, observer: Observer) -> Compared:
    """Train what the log lacks, on a Ray of its own.

    Raises:
        TunerError: The data or the machine cannot do what is asked, or results cannot be written.
    """
    if is_done(comparison):
        return Compared("done", exit_code(comparison.history(), "done"))
    file, folder = comparison.file, comparison.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{relative_to_cwd(folder)} cannot be made: {error.strerror}") from error
    with caught_signals() as signals, open_log(folder) as log:
        if log.notice:
            observer.notice(log.notice)
        observer.notice(f"{comparison.title}: starting Ray on this machine")
        with local_ray() as machines:
            concurrent = slots(machines, file.resources)
            prepared = prepare_data(file, comparison.search)
            weights = prepare_weights(file, comparison.search)
            job = replace(job_of(file, folder, prepared, weights), fresh_splits=True, reserved=comparison.reserved)
            splits = _write_splits(comparison, job)
            signals.note()
            ledger = _ledger(comparison, log, concurrent)
            drive(
                ledger,
                job,
                file,
                _work(comparison, concurrent),
                signals=signals,
                observer=observer,
                listeners=[lambda event: _clear(folder, event)],
            )
        reason = signals.first.name if signals.first is not None else "aborted" if ledger.hopeless else "done"
        ledger.close(reason)
        remove_all_but(folder / "checkpoints", {trial.number for trial in ledger.history.unfinished})
    if reason == "done" and prepared is not None:
        for settings in splits:
            remove_split(prepared, **settings)
    return Compared(reason, exit_code(ledger.history, reason), ledger.hopeless)


def _ledger(comparison: Comparison, log: Log, concurrent: int) -> Ledger:
    file, runs = comparison.file, _Runs(comparison.runs)
    return Ledger(
        log,
        runs,
        SCHEDULERS["none"](file.scheduler, file.metric.goal),
        goal=file.metric.goal,
        seed=file.search.seed,
        trials=runs.count_with(comparison.history()),
        slots=concurrent,
        retries=file.retries,
    )


def _clear(folder: Path, event: Event) -> None:
    """A listener of the ledger: what a run needed to go on is not needed any more."""
    if isinstance(event, End):
        shutil.rmtree(folder / "checkpoints" / str(event.n), ignore_errors=True)


def _work(comparison: Comparison, concurrent: int) -> Work:
    names = {identity(item.run(seed)): item.name for item in comparison.configurations for seed in comparison.seeds}
    places = {seed: place for place, seed in enumerate(comparison.seeds, start=1)}

    def label(trial: Trial) -> str:
        name = names.get(identity(trial.ask.config), f"run {trial.number}")
        return f"{name}, seed {places.get(trial.ask.config['seed'], '?')}"

    return Work(
        title=comparison.title,
        count=len(comparison.runs),
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


def _write_splits(comparison: Comparison, job: Job) -> list[dict[str, Any]]:
    """Write the images of every run before any starts: counts which the data cannot give are an error here.

    Returns:
        The settings of each split, as ``split_arrays`` takes them.
    """
    data, prepared = comparison.file.data, job.prepared
    if data is None or prepared is None:
        return []
    if comparison.reserved is not None:
        labels = prepared.load_train()[1]
        write_array(_labels_path(job.folder), labels[reserved_images(labels, comparison.reserved)])
    splits: list[dict[str, Any]] = [
        {
            "validation": data.validation,
            "split_seed": split_seed,
            "train_images": data.train_images,
            "reserved": comparison.reserved,
        }
        for split_seed in comparison.split_seeds
    ]
    for settings in splits:
        split_arrays(prepared, **settings)
    return splits


def _labels_path(folder: Path) -> Path:
    return folder / "probabilities" / "labels.npy"
