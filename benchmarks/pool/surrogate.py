"""The replay pool as a world: a fixed surrogate of whole curves, fitted to one half of the measured configurations.

Halves go by the number of the configuration, even or odd. The mean of a configuration's runs is its truth. Curves are
the mean of two models over the cube: a few principal components, each a Gaussian process, which alone sees far better
configurations in corners than there are, and extremely randomized trees, which alone see none better than the measured
ones. The share of runs that diverge is a Gaussian process, too. One run's noise is that of a measured run with a
similar curve: the difference of its two seeds over the square root of two.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from pool.forest import Forest
from replay.axes import places_of, snapped
from replay.worlds import World
from scipy.stats import spearmanr
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

HERE = Path(__file__).parent
POOL = HERE / "pool.parquet"
SPACE = HERE / "space.yaml"
METRIC = "val_accuracy"

#: Half to the remainder of its configurations' numbers.
HALVES: Mapping[str, int] = {"even": 0, "odd": 1}

#: Held-out Spearman correlation below which nothing is claimed.
GATE = 0.8

#: Fewer configurations that ran to their end than this in one half are no pool.
FEWEST = 10

_COMPONENTS = 5
_NEIGHBOURS = 10
#: CIFAR-10 has ten classes: what guessing reaches, and so what is left of a run that diverged.
_CHANCE = 0.1


@dataclass(frozen=True)
class Measured:
    """One configuration of the pool.

    Attributes:
        number: Its number in the pool.
        config: Its searched parameters.
        curves: Of the runs that went to their end, (runs, epochs).
        diverged: The epoch in which each of the others diverged, from 1.
    """

    number: int
    config: Mapping[str, Any]
    curves: np.ndarray
    diverged: tuple[int, ...]

    @property
    def crash(self) -> float:
        """Return the share of runs that diverged."""
        return len(self.diverged) / (len(self.curves) + len(self.diverged))


def read_pool(path: Path, names: Sequence[str]) -> list[Measured]:
    """Return the configurations of a pool by number; ``names`` are those of the searched parameters."""
    runs: dict[int, list[dict[str, Any]]] = {}
    for run in pq.read_table(path).to_pylist():
        runs.setdefault(run["configuration"], []).append(run)
    epochs = max(len(run[METRIC]) for group in runs.values() for run in group)
    measured = []
    for number, group in sorted(runs.items()):
        whole = [run[METRIC] for run in group if run["stop_reason"] != "diverged" and len(run[METRIC]) == epochs]
        diverged = tuple(len(run[METRIC]) + 1 for run in group if run["stop_reason"] == "diverged")
        if whole or diverged:
            config = {name: group[0][name] for name in names}
            curves = np.array(whole, dtype=float).reshape(len(whole), epochs)
            measured.append(Measured(number, config, curves, diverged))
    return measured


class Surrogate(World):
    """One half of the pool, and what lies between its configurations."""

    def __init__(self, half: str, path: Path = POOL) -> None:
        """Fit the half.

        Raises:
            ValueError: It holds too few configurations.
        """
        self.name = f"pool-{half}"
        self.says = "Measured curves of a small network on CIFAR-10 images, and a surrogate between them."
        self.path = SPACE
        # What it says of how to search is left to the product's defaults.
        self.text = re.sub(r"^(search|scheduler):.*\n", "", SPACE.read_text(encoding="utf-8"), flags=re.MULTILINE)
        self.floor = _CHANCE
        measured = read_pool(path, self.space.searched)
        self.half = [item for item in measured if item.number % 2 == HALVES[half]]
        self.others = [item for item in measured if item.number % 2 != HALVES[half]]
        finished = [item for item in self.half if len(item.curves)]
        if len(finished) < FEWEST:
            raise ValueError(f"the pool's {half} half has {len(finished)} finished configurations, fewer than {FEWEST}")
        self.epochs = finished[0].curves.shape[1]
        self._points = np.stack([places_of(self.axes, item.config) for item in finished])
        self._means = np.stack([item.curves.mean(axis=0) for item in finished])
        self._measured = {_key(point): item for item, point in zip(self.half, self._places(self.half), strict=True)}
        self._fit_noise(finished)
        self._fit_curves()
        self._fit_crashes()

    def _places(self, items: Sequence[Measured]) -> np.ndarray:
        return np.stack([places_of(self.axes, item.config) for item in items])

    def _fit_curves(self) -> None:
        count = min(_COMPONENTS, len(self._points) - 1)
        spread = PCA(count, random_state=0).fit(self._means).explained_variance_ratio_
        # Where formulas made the curves, the last components are rounding errors.
        self._pca = PCA(max(1, int((spread > 1e-5).sum())), random_state=0).fit(self._means)
        scores = self._pca.transform(self._means)
        self._scale = scores.std(axis=0) + 1e-12
        self._forest = Forest(self._points, self._means)
        noise = self._score_noise() / self._scale**2
        self._processes = [
            _regressor(self._points, column, least)
            for column, least in zip((scores / self._scale).T, noise, strict=True)
        ]

    def _score_noise(self) -> np.ndarray:
        """Return the variance that seeds alone give the components' scores of the mean of two runs."""
        if len(self._residuals) < FEWEST:
            return np.zeros(self._pca.n_components_)
        return (np.stack(self._residuals) @ self._pca.components_.T).var(axis=0) / 2

    def _fit_crashes(self) -> None:
        self._diverged = [epoch for item in self.half for epoch in item.diverged]
        shares = np.array([item.crash for item in self.half])
        self._crash = _regressor(self._places(self.half), shares) if self._diverged else None

    def _fit_noise(self, finished: Sequence[Measured]) -> None:
        pairs = [item.curves for item in finished if len(item.curves) > 1]
        self._paired = np.array([curves.mean(axis=0) for curves in pairs])
        self._residuals = [(curves[0] - curves[1]) / np.sqrt(2) for curves in pairs]

    def means(self, points: np.ndarray) -> np.ndarray:
        """Return the surrogate's curves."""
        scores = np.stack([_said(process, points) for process in self._processes], axis=1)
        smooth = self._pca.inverse_transform(scores * self._scale)
        return np.clip((smooth + self._forest.means(points)) / 2, 0.0, 1.0)

    def crashes(self, points: np.ndarray) -> np.ndarray:
        """Return the probabilities; 0 where no run of the half diverged."""
        return np.zeros(len(points)) if self._crash is None else np.clip(_said(self._crash, points), 0.0, 1.0)

    def known(self, config: Mapping[str, Any]) -> tuple[np.ndarray, float]:
        """Return what was measured for a configuration of the pool, and the surrogate's for any other."""
        item = self._measured.get(_key(places_of(self.axes, config)))
        if item is None or not len(item.curves):
            return super().known(config)
        return item.curves.mean(axis=0), item.crash

    def noise(self, mean: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Return the residual of a measured run, of one of those with the most similar curves.

        Of others it would have its leaps at epochs at which this curve is as good as at its end.
        """
        if not self._residuals:
            return np.zeros(len(mean))
        nearest = np.argsort(((self._paired - mean) ** 2).sum(axis=1), kind="stable")[:_NEIGHBOURS]
        return self._residuals[generator.choice(nearest)] * generator.choice([-1.0, 1.0])

    def crash_epoch(self, generator: np.random.Generator) -> int:
        """Return that of a measured run."""
        return int(generator.choice(self._diverged)) if self._diverged else 1

    @property
    def starts(self) -> np.ndarray:
        """Return the half's configurations."""
        return snapped(self.axes, self._points)

    @cached_property
    def agreement(self) -> dict[str, float]:
        """Return how well the surrogate ranks what the other half measured: Spearman, over all and the better half."""
        if len(self.others) < FEWEST:
            raise ValueError(f"the pool's other half has {len(self.others)} configurations, fewer than {FEWEST}")
        points = self._places(self.others)
        said = self.worth(self.means(points), self.crashes(points))
        true = np.array([_worth(item) for item in self.others])
        better = true >= np.median(true)
        return {
            "all": _spearman(said, true),
            "better half": _spearman(said[better], true[better]),
        }


def _worth(item: Measured) -> float:
    best = item.curves.mean(axis=0).max() if len(item.curves) else _CHANCE
    return float((1 - item.crash) * best + item.crash * _CHANCE)


def _regressor(points: np.ndarray, targets: np.ndarray, noise: float = 0.0) -> GaussianProcessRegressor:
    """Return a process fitted to targets; ``noise`` is the least variance that is theirs alone."""
    least = min(max(noise, 1e-6), 0.9)
    matern = Matern(np.ones(points.shape[1]), (0.05, 20.0), nu=2.5)
    kernel = ConstantKernel(1.0, "fixed") * matern + WhiteKernel(max(0.1, least), (least, 1.0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GaussianProcessRegressor(kernel, random_state=0).fit(points, targets)


def _said(process: GaussianProcessRegressor, points: np.ndarray) -> np.ndarray:
    """Return a process's means; its own ``predict`` looks at its arguments for longer than it takes to answer."""
    return process.kernel_(points, process.X_train_) @ process.alpha_


def _spearman(left: np.ndarray, right: np.ndarray) -> float:
    value = float(spearmanr(left, right).statistic)
    return value if np.isfinite(value) else 0.0


def _key(places: np.ndarray) -> tuple[float, ...]:
    return tuple(np.round(places, 12).tolist())
