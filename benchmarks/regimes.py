"""Synthetic regimes for the replay of searches: formulas for curves on which known habits of training show.

Six hyperparameters, 27 epochs. Places are those of ``replay.axes``: 0 and 1 are the ends of a range, on its own
scale. Each formula is a trainable as well (``regimes:train``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from replay.worlds import World

EPOCHS = 27

#: Nothing in it says how to search.
_TEXT = """\
name: {name}
trainable: regimes:train
metric: {{name: {metric}, goal: {goal}}}
scheduler: {{max_epochs: 27}}
parameters:
  regime: {name}
  lr: {{min: 1e-4, max: 1.0, log: true}}
  momentum: {{min: 0.0, max: 0.99}}
  weight_decay: {{min: 1e-6, max: 1e-1, log: true}}
  dropout: {{min: 0.0, max: 0.8}}
  mixup_alpha: {{values: [0.0, 0.1, 0.2, 0.4, 1.0]}}
  label_smoothing: {{min: 0.0, max: 0.4}}
"""

#: Epochs from 1, as a row.
_T = np.arange(1.0, EPOCHS + 1)[None]

#: Name of a parameter to places, one a configuration, as a column.
Places = Mapping[str, np.ndarray]


def _strength(u: Places) -> np.ndarray:
    """Return how strongly a configuration regularizes, from 0 to 1."""
    return 0.35 * u["weight_decay"] + 0.35 * u["dropout"] + 0.2 * u["mixup_alpha"] + 0.1 * u["label_smoothing"]


def _learning(u: Places) -> np.ndarray:
    """Return what a wrong learning rate and momentum cost."""
    return 0.8 * (u["lr"] - 0.6) ** 2 + 0.1 * (u["momentum"] - 0.8) ** 2


def _rise(tau: Any) -> np.ndarray:
    """Return the share of its way that a curve with time constant ``tau`` has gone at each epoch; 1 at the last."""
    return (1 - np.exp(-_T / tau)) / (1 - np.exp(-EPOCHS / tau))


def plain(u: Places) -> np.ndarray:
    """All learn equally fast: whoever is ahead early stays ahead."""
    return (0.9 - _learning(u) - 0.3 * (_strength(u) - 0.4) ** 2) * _rise(4.0)


def slow_starters(u: Places) -> np.ndarray:
    """The more a configuration regularizes, the slower it starts; the best one regularizes much."""
    strength = _strength(u)
    return (0.9 - _learning(u) - 0.5 * (strength - 0.8) ** 2) * _rise(1 + 11 * strength**2)


def overfitting(u: Places) -> np.ndarray:
    """A validation loss that falls and then rises, later and less where a configuration regularizes more."""
    strength = _strength(u)
    low = 0.6 + _learning(u) + 1.2 * np.maximum(0, strength - 0.6) ** 2
    return low + 2.3 * np.exp(-_T / 4.0) + 0.08 * (1 - strength) * np.maximum(0, _T - 4 - 20 * strength)


def crash_boundary(u: Places) -> np.ndarray:
    """The higher learning rate and momentum, the better, up to where training diverges (see ``_crash``)."""
    return (0.45 + 0.43 * _step(u) - 0.3 * (_strength(u) - 0.4) ** 2) * _rise(4.0)


def unranked(u: Places) -> np.ndarray:
    """Up to the eighteenth epoch of 27 a curve tells nothing of its end."""
    early = 0.3 + 0.4 * u["momentum"] - 0.3 * (u["label_smoothing"] - 0.5) ** 2
    regularized = (0.5 * u["weight_decay"] + 0.5 * u["dropout"] - 0.4) ** 2
    late = 0.9 - 0.8 * (u["lr"] - 0.6) ** 2 - 0.3 * regularized
    switched = 1 / (1 + np.exp(18.0 - _T))
    return (1 - switched) * early * _rise(4.0) + switched * late


def _step(u: Places) -> np.ndarray:
    return u["lr"] * 0.7 + u["momentum"] * 0.3


def _crash(u: Places) -> np.ndarray:
    """Return the probability to diverge: nothing up to a step of 0.70, a half at 0.75, nearly one from 0.80 on."""
    return 1 / (1 + np.exp((0.75 - _step(u)) / 0.01))


@dataclass(frozen=True)
class Regime:
    """A formula and what comes with it; ``noise`` is a standard deviation, of runs and of epochs within a run."""

    formula: Callable[[Places], np.ndarray]
    metric: str = "val_accuracy"
    goal: str = "maximize"
    noise: float = 0.007
    crash: Callable[[Places], np.ndarray] | None = None
    floor: float = 0.1


REGIMES: Mapping[str, Regime] = {
    "plain": Regime(plain),
    "slow-starters": Regime(slow_starters),
    "overfitting": Regime(overfitting, "val_loss", "minimize", noise=0.02, floor=2.3),
    "crash-boundary": Regime(crash_boundary, crash=_crash),
    "unranked": Regime(unranked),
}


class Formula(World):
    """A regime as a world."""

    def __init__(self, name: str) -> None:
        self._regime = REGIMES[name]
        self.name = name
        self.says = str(self._regime.formula.__doc__).partition(" (see")[0].removesuffix(".") + "."
        self.text = _TEXT.format(name=name, metric=self._regime.metric, goal=self._regime.goal)
        self.path = Path(__file__).with_name(f"{name}.yaml")
        self.epochs = EPOCHS
        self.floor = self._regime.floor

    def _places(self, points: np.ndarray) -> Places:
        return {axis.name: points[:, column, None] for column, axis in enumerate(self.axes)}

    def means(self, points: np.ndarray) -> np.ndarray:
        """Return the formula's values."""
        return self._regime.formula(self._places(points))

    def crashes(self, points: np.ndarray) -> np.ndarray:
        """Return the formula's probabilities; 0 where the regime has none."""
        crash = self._regime.crash
        return np.zeros(len(points)) if crash is None else crash(self._places(points))[:, 0]

    def noise(self, mean: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Return a draw for the run and one for each epoch."""
        return self._regime.noise * (generator.normal() + generator.normal(size=len(mean)))

    def crash_epoch(self, generator: np.random.Generator) -> int:
        """Return one of the first five epochs."""
        return int(generator.integers(1, 6))


def train(config: dict[str, Any]) -> Iterator[dict[str, float]]:
    """Yield a run's curve, for a search with real workers."""
    world = Formula(config["regime"])
    for value in world.curve(config, config["seed"]):
        yield {world.metric: float("nan") if value is None else value}
