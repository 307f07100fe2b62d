"""A search that begins with what one on a cheaper proxy found: trainings of a third of the epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from replay.clock import Counts, replay
from replay.product import MemoryStorage, Product
from replay.worlds import Curve, World
from tuner.space.searchfile import SearchFile

#: The proxy's trainings are so many times shorter, and its budget is so many of them.
SHORTER, TRAININGS = 3, 64


class Proxy:
    """A world's trainings, ended early."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.epochs = world.epochs // SHORTER

    def file(self, overrides: Sequence[str] = ()) -> SearchFile:
        """Return the world's search file with the shorter budget."""
        key = "scheduler.max_epochs" if ":" in self._world.file().trainable else "parameters.epochs"
        return self._world.file([*overrides, f"{key}={self.epochs}"])

    def curve(self, config: Mapping[str, Any], seed: int) -> Curve:
        """Return the first epochs of one run's curve."""
        return self._world.curve(config, seed)[: self.epochs]


def found_on_proxy(world: World, seed: int) -> list[Mapping[str, Any]]:
    """Return the configurations that the product's search completes on a world's proxy, the best first."""
    proxy = Proxy(world)
    budget = TRAININGS * proxy.epochs
    search = Product(proxy, seed=seed, workers=1, trials=budget, overrides=(), storage=MemoryStorage())
    for _ in replay(search, proxy, workers=1, budget=budget, counts=Counts()):
        pass
    return search.ranked
