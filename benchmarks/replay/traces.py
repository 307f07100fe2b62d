"""One replayed search as a trace of its regret, and many of them as the figures of a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from replay.clock import Counts, replay
from replay.methods import method_of
from replay.worlds import World

#: Epochs at which the record says how well the curves rank.
_RANKED_AT = (1, 3, 4, 9, 16)


@dataclass(frozen=True)
class Trace:
    """One search.

    Attributes:
        regrets: After each trial's worth of epochs; infinite while it has nothing to hand over.
        target_epochs: Epochs after which the regret was at the target for the first time; infinite if never.
        target_time: The same on the virtual clock.
        counts: Trials begun, run to their end, and diverged.
    """

    regrets: tuple[float, ...]
    target_epochs: float
    target_time: float
    counts: Counts


def trace(world: World, method_name: str, seed: int, workers: int, budget: int) -> Trace:
    """Replay one search."""
    method = method_of(method_name)
    budget *= method.rate
    search = method.build(world, seed, workers, budget)
    every = world.epochs * method.rate
    regrets = [float("inf")] * (budget // every)
    regret = target_epochs = target_time = float("inf")
    counts, incumbent = Counts(), None
    spent = 0
    for step in replay(search, world, workers=workers, budget=budget, counts=counts):
        if step.incumbent is not incumbent:
            incumbent = step.incumbent
            regret = world.regret(world.truth(incumbent)) if incumbent is not None else float("inf")
            if regret <= world.target and target_epochs == float("inf"):
                target_epochs, target_time = step.spent / method.rate, step.time / method.rate
        spent = step.spent
        if spent % every == 0:
            regrets[spent // every - 1] = regret
    for index in range(spent // every, len(regrets)):  # nothing was left to try
        regrets[index] = regret
    return Trace(tuple(regrets), target_epochs, target_time, counts)


def summary(world: World, traces: Sequence[Trace]) -> dict[str, Any]:
    """Return the figures of one cell's searches; null is "nothing to hand over" or "never"."""
    regrets = np.array([item.regrets for item in traces])
    lower, median, upper = (np.quantile(regrets, share, axis=0, method="inverted_cdf") for share in (0.25, 0.5, 0.75))
    counts = [asdict(item.counts) for item in traces]
    return {
        "world_says": world.says,
        "metric": world.metric,
        "best": round(world.best, 5),
        "target": round(world.target, 5),
        "rank_correlations": {str(k): round(v, 3) for k, v in world.rank_correlations(_RANKED_AT).items()},
        "epochs": [world.epochs * place for place in range(1, 1 + regrets.shape[1])],
        "lower": _rounded(lower),
        "median": _rounded(median),
        "upper": _rounded(upper),
        "final": _rounded(regrets[:, -1]),
        "target_epochs": _rounded([item.target_epochs for item in traces]),
        "target_time": _rounded([item.target_time for item in traces]),
        **{name: float(np.median([count[name] for count in counts])) for name in counts[0]},
    }


def _rounded(values: Sequence[float] | np.ndarray) -> list[float | None]:
    return [round(float(value), 5) if np.isfinite(value) else None for value in values]
