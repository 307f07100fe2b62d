"""What searches are replayed on: a space whose configurations all have a known curve, and known noise around it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from scipy.stats import spearmanr

from replay.axes import axes_of, config_of, places_of, snapped
from tuner.facts.records import Goal
from tuner.facts.seeds import derived_seed
from tuner.hyperparameters.table import TRAINABLES
from tuner.space.problems import Reporter
from tuner.space.read import read_nodes
from tuner.space.searchfile import SearchFile
from tuner.space.yaml_nodes import read_yaml

#: One value an epoch; the last is None where the run diverged in that epoch.
Curve = list[float | None]


class Trainings(Protocol):
    """What a search is replayed on.

    Attributes:
        epochs: The budget of a trial.
    """

    epochs: int

    def file(self, overrides: Sequence[str] = ()) -> SearchFile:
        """Return the search file with the product's own defaults, and with ``--set`` of ``overrides``."""

    def curve(self, config: Mapping[str, Any], seed: int) -> Curve:
        """Return one run's curve: always the same for a configuration and a seed."""


class World(ABC):
    """Curves of a whole space.

    Attributes:
        name: For people and records.
        says: What it is, in a sentence.
        text: A search file that says nothing of how to search.
        path: Stands for the file of that text.
        epochs: The budget of a trial.
        floor: What a run that diverged is worth, in the metric.
    """

    name: str
    says: str
    text: str
    path: Path
    epochs: int
    floor: float

    @abstractmethod
    def means(self, points: np.ndarray) -> np.ndarray:
        """Return the curves without noise, (points, epochs), of points of the cube, (points, axes)."""

    @abstractmethod
    def crashes(self, points: np.ndarray) -> np.ndarray:
        """Return the probability that a run diverges, (points,)."""

    @abstractmethod
    def noise(self, mean: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Return what one run adds to its curve without noise, (epochs,)."""

    @abstractmethod
    def crash_epoch(self, generator: np.random.Generator) -> int:
        """Return the epoch in which a run that diverges does so, from 1."""

    def file(self, overrides: Sequence[str] = ()) -> SearchFile:
        """Return the search file with the product's own defaults, and with ``--set`` of ``overrides``."""
        report = Reporter()
        root = read_yaml(self.text, str(self.path), report)
        report.raise_errors()
        assert root is not None
        return read_nodes(root, self.path, self.text, overrides, trainables=TRAINABLES, report=report)

    @cached_property
    def _plain(self) -> SearchFile:
        return self.file()

    @property
    def space(self) -> Any:
        """Return the space."""
        return self._plain.space

    @property
    def goal(self) -> Goal:
        """Return which way the metric is better."""
        return self._plain.metric.goal

    @property
    def metric(self) -> str:
        """Return the name of the metric."""
        return self._plain.metric.name

    @cached_property
    def axes(self) -> Any:
        """Return the axes of the cube."""
        return axes_of(self.space)

    def known(self, config: Mapping[str, Any]) -> tuple[np.ndarray, float]:
        """Return a configuration's curve without noise and its probability to diverge."""
        points = places_of(self.axes, config)[None]
        return self.means(points)[0], float(self.crashes(points)[0])

    def curve(self, config: Mapping[str, Any], seed: int) -> Curve:
        """Return one run's curve: always the same for a configuration and a seed."""
        mean, crash = self.known(config)
        searched = {axis.name: config[axis.name] for axis in self.axes}
        generator = np.random.default_rng(derived_seed(seed, json.dumps(searched, sort_keys=True)))
        noisy = mean + self.noise(mean, generator)
        if generator.random() < crash:
            return [*noisy[: self.crash_epoch(generator) - 1].tolist(), None]
        return list(noisy.tolist())

    def truth(self, config: Mapping[str, Any]) -> float:
        """Return what a configuration is worth; see ``worth``."""
        mean, crash = self.known(config)
        return float(self.worth(mean[None], np.array([crash]))[0])

    def worth(self, means: np.ndarray, crashes: np.ndarray) -> np.ndarray:
        """Return the expected best epoch of a full training: the curve's best, or ``floor`` where it diverges."""
        best = means.max(axis=1) if self.goal is Goal.MAXIMIZE else means.min(axis=1)
        return (1 - crashes) * best + crashes * self.floor

    def regret(self, truth: float) -> float:
        """Return how much worse than the best configuration something is, at least 0."""
        return max(0.0, self.best - truth if self.goal is Goal.MAXIMIZE else truth - self.best)

    @cached_property
    def best(self) -> float:
        """Return the truth of the best configuration: that of many random ones, made better step by step."""
        sign = 1.0 if self.goal is Goal.MAXIMIZE else -1.0
        generator = np.random.default_rng(0)
        points = np.concatenate([self.starts, self._random(20_000)])
        for width in np.geomspace(0.2, 0.001, 60):
            values = sign * self._worth(points)
            elite = points[np.argsort(-values, kind="stable")[:32]]
            moved = np.repeat(elite, 16, axis=0)
            moved = moved + generator.normal(0.0, width, moved.shape) * (generator.random(moved.shape) < 0.5)
            points = np.concatenate([elite, snapped(self.axes, moved)])
        return float(sign * (sign * self._worth(points)).max())

    @property
    def starts(self) -> np.ndarray:
        """Return points from which the search for the best one begins, besides random ones."""
        return np.empty((0, len(self.axes)))

    @cached_property
    def target(self) -> float:
        """Return the regret that counts as good: a tenth of the regret of the median random configuration."""
        return 0.1 * abs(self.best - float(np.median(self._worth(self._random(2000)))))

    def rank_correlations(self, epochs: Sequence[int]) -> dict[int, float]:
        """Return how well the curves without noise rank at each epoch: Spearman with the truth."""
        points = self._random(2000)
        means, truths = self.means(points), self._worth(points)
        found = {}
        for epoch in epochs:
            early = means[:, epoch - 1] if self.goal is Goal.MAXIMIZE else -means[:, epoch - 1]
            found[epoch] = float(spearmanr(early, truths if self.goal is Goal.MAXIMIZE else -truths).statistic)
        return found

    def sample(self, generator: np.random.Generator) -> dict[str, Any]:
        """Return a random configuration."""
        return config_of(self.space, self.axes, snapped(self.axes, generator.random((1, len(self.axes))))[0])

    def _random(self, count: int) -> np.ndarray:
        return snapped(self.axes, np.random.default_rng(1).random((count, len(self.axes))))

    def _worth(self, points: np.ndarray) -> np.ndarray:
        return self.worth(self.means(points), self.crashes(points))
