"""What is compared: configurations, each with the same seeds, and so on the same images; and what its log says.

A comparison has a folder of its own below its search's, with a log, checkpoints and what its runs printed. The log is
its truth, as a search's is: what is in it is never run again, and what is asked for beyond it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.datasets.split import Reserved
from tuner.facts.records import State
from tuner.facts.seeds import derived_seed
from tuner.journal.history import History, Trial
from tuner.journal.log import read_events
from tuner.space.searchfile import SearchFile
from tuner.storage.copies import fetch
from tuner.study.arrays import read_array
from tuner.study.folder import Folder
from tuner.study.job import fresh_split_seed, identity, probabilities_path


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

    @property
    def done(self) -> bool:
        """Whether every run has ended."""
        rows = self.trials(self.history()).values()
        return all(trial is not None and trial.end is not None for row in rows for trial in row)

    @property
    def labels_path(self) -> Path:
        """Where the labels of the reserved images lie, beside what the runs say about them."""
        return self.folder / "probabilities" / "labels.npy"

    def history(self) -> History:
        """Return what the log says, without locking it."""
        return History(read_events(self.folder))

    def trials(self, history: History) -> dict[str, list[Trial | None]]:
        """Return the name of each configuration to its runs, in the order of the seeds; None for one not begun."""
        known = {identity(trial.ask.config): trial for trial in history.trials.values()}
        return {item.name: [known.get(identity(item.run(seed))) for seed in self.seeds] for item in self.configurations}

    def states(self, history: History) -> set[State]:
        """Return the states of the runs that have begun; a log may hold runs of other requests besides."""
        return {trial.state for row in self.trials(history).values() for trial in row if trial is not None}

    def open_split_seeds(self) -> list[int]:
        """Return those of ``split_seeds`` with which something is left to train."""
        columns = zip(*self.trials(self.history()).values(), strict=True)
        ended = [all(trial is not None and trial.end is not None for trial in column) for column in columns]
        return [seed for seed, done in zip(self.split_seeds, ended, strict=True) if not done]

    def probabilities(self, configuration: Configuration) -> NDArray[np.float32] | None:
        """Return what the runs of a configuration say about the reserved images, [seeds, images, classes].

        None where no images are reserved, or a run ended without weights that could be asked.
        """
        paths = [probabilities_path(self.folder, configuration.run(seed)) for seed in self.seeds]
        if self.reserved is None or not all(fetch(path) for path in paths):
            return None
        return np.stack([read_array(path) for path in paths])

    def reserved_labels(self) -> NDArray[np.int64]:
        """Return the labels of the reserved images."""
        fetch(self.labels_path)
        return read_array(self.labels_path)


def fresh_seeds(search_seed: int, purpose: str, count: int) -> tuple[int, ...]:
    """Return seeds that no trial of a search had but by chance; a larger count begins with those of a smaller."""
    return tuple(derived_seed(search_seed, f"{purpose} {k}") for k in range(count))
