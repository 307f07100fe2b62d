"""A search that begins with what one on a cheaper proxy found: trainings of a third of the epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from replay.clock import Counts, replay
from replay.product import MemoryStorage, Product
from replay.worlds import World
from tuner.space.searchfile import SearchFile

#: The proxy's trainings are so many times shorter, and its budget is so many of them.
SHORTER, TRAININGS = 3, 64


class Proxy(World):
    """A world whose trainings end early."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.name = f"{world.name}-proxy"
        self.says = f"{world.says} Its first {world.epochs // SHORTER} epochs."
        self.text, self.path, self.floor = world.text, world.path, world.floor
        self.epochs = world.epochs // SHORTER

    def file(self, overrides: Sequence[str] = ()) -> SearchFile:
        """Return the world's search file with the shorter budget."""
        key = "scheduler.max_epochs" if ":" in self._world.file().trainable else "parameters.epochs"
        return self._world.file([*overrides, f"{key}={self.epochs}"])

    def means(self, points: np.ndarray) -> np.ndarray:
        """Return the first epochs of the world's."""
        return self._world.means(points)[:, : self.epochs]

    def crashes(self, points: np.ndarray) -> np.ndarray:
        """Return the world's."""
        return self._world.crashes(points)

    def noise(self, mean: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Return the world's."""
        return self._world.noise(mean, generator)

    def crash_epoch(self, generator: np.random.Generator) -> int:
        """Return the world's; a run that would diverge later does so in the last epoch."""
        return min(self._world.crash_epoch(generator), self.epochs)


def found_on_proxy(world: World, seed: int) -> list[Mapping[str, Any]]:
    """Return the configurations that the product's search completes on a world's proxy, the best first."""
    proxy = Proxy(world)
    budget = TRAININGS * proxy.epochs
    search = Product(proxy, seed=seed, workers=1, trials=budget, overrides=(), storage=MemoryStorage())
    for _ in replay(search, proxy, workers=1, budget=budget, counts=Counts()):
        pass
    return search.ranked
