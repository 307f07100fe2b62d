"""The searches that are replayed, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from replay.clock import Search
from replay.peers import OneEpochTopK, Optuna, Stock
from replay.product import MemoryStorage, Product
from replay.warm import SHORTER, TRAININGS, found_on_proxy
from replay.worlds import World
from tuner.space.warm_start import chosen


@dataclass(frozen=True)
class Method:
    """One way to search.

    Attributes:
        says: What it is, in a few words.
        build: Called with world, seed, workers and budget in epochs.
        rate: How many times the budget it is given; its epochs are counted as so many times fewer.
        overrides: Of the product's defaults; None for what is not the product.
    """

    says: str
    build: Callable[[World, int, int, int], Search]
    rate: int = 1
    overrides: tuple[str, ...] | None = None

    def settings(self, world: World) -> dict[str, Any] | None:
        """Return the product's search and scheduler sections as they were resolved; None for what is not the product.

        The seed and the number of trials are the replay's.
        """
        if self.overrides is None:
            return None
        settings = world.file(self.overrides).settings()
        left_out = ("seed", "trials", "points", "warm_start", "time_budget")
        search = {key: value for key, value in settings["search"].items() if key not in left_out}
        return {"search": search, "scheduler": settings["scheduler"]}


def product(says: str, *overrides: str, rate: int = 1) -> Method:
    """Return the product's own search with some settings, as ``--set`` takes them."""

    def build(world: World, seed: int, workers: int, budget: int) -> Search:
        # A trial takes an epoch at least, so that the budget ends the search and never the number of trials.
        return Product(world, seed=seed, workers=workers, trials=budget, overrides=overrides, storage=MemoryStorage())

    return Method(says, build, rate, overrides)


def warm(says: str, *, misled: bool = False) -> Method:
    """Return the product's search after one on a proxy, whose epochs are not counted.

    Args:
        says: How it begins.
        misled: Whether the proxy's worst configurations are taken for its best.
    """

    def build(world: World, seed: int, workers: int, budget: int) -> Search:
        found = found_on_proxy(world, seed)
        points = chosen([found[::-1] if misled else found], world.space)
        options: dict[str, Any] = {"seed": seed, "workers": workers, "trials": budget, "overrides": ()}
        return Product(world, **options, storage=MemoryStorage(), warm_points=points)

    proxy = f"a search of {TRAININGS} trainings of 1 / {SHORTER} of the epochs, not counted"
    return Method(f"{says} of {proxy}", build, overrides=())


#: Random search alone: what leads is not run again.
_RANDOM = ("search.algorithm=random", "search.replicates=1")

METHODS: Mapping[str, Method] = {
    "random": product("random search", *_RANDOM, "scheduler.type=none"),
    "random-twice": product("random search at twice the budget", *_RANDOM, "scheduler.type=none", rate=2),
    "random-asha": product("random search and the product's ASHA", *_RANDOM),
    "one-epoch-top-k": Method(
        "one epoch for each, the best finished", lambda world, seed, _, budget: OneEpochTopK(world, seed, budget)
    ),
    "optuna": Method("Optuna: TPESampler, MedianPruner", lambda world, seed, *_: Optuna(world, seed)),
    "stock": Method("Ray Tune: OptunaSearch, ASHAScheduler", lambda world, seed, *_: Stock(world, seed)),
    "tuner": product("the product's defaults"),
}

#: Replayed where they are asked for by name.
FURTHER: Mapping[str, Method] = {
    "warm": warm("begins with the best"),
    "misled": warm("begins with the worst", misled=True),
}


def method_of(name: str) -> Method:
    """Return a method of the table, or the product with settings: ``tuner search.algorithm=gp``.

    Raises:
        KeyError: There is none of that name.
    """
    first, *overrides = name.split()
    return (
        product(f"the product with {', '.join(overrides)}", *overrides) if overrides else {**METHODS, **FURTHER}[first]
    )
