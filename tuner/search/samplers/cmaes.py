"""The covariance matrix adaptation evolution strategy."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import numpy as np

from tuner.facts.records import Goal, Origin
from tuner.facts.seeds import derived_seed
from tuner.search.samplers.sampler import Begun, Choose, Outcome, Question, Result, Sampler
from tuner.search.samplers.tpe import Tpe
from tuner.search.samplers.unit import from_unit, to_unit
from tuner.space.algorithms import defaults_of
from tuner.space.domains import Domain

if TYPE_CHECKING:
    from cmaes import CMA

#: How often an attempt outside of the ranges is repeated before it is cut off at their ends, for each range.
_RESAMPLING = 10


class CmaEs(Sampler):
    """Moves and shapes a normal distribution over the unconditional ranges, generation by generation.

    Hansen 2016, "The CMA Evolution Strategy: A Tutorial". Results of trials that it proposed, and of given points,
    count in the log's order; ``population_size`` of them make a generation, and each counts by its rank in it: those
    that completed by their score, then those that were stopped, by how far they came and their value there. Those that
    were proposed in an earlier generation are late and do not count. Listed and conditional parameters are drawn by
    tpe. A distribution that has converged begins anew, elsewhere.
    """

    def __init__(self, question: Question, *, population_size: int | None, sigma0: float | None) -> None:
        self._question = question
        self._ranges = question.space.unconditional_ranges
        self._others = Tpe(question, **defaults_of("search", "tpe"))
        self._population = population_size
        self._sigma0 = 1 / 6 if sigma0 is None else sigma0
        self._starts = 0
        self._optimizer = self._started(np.full(len(self._ranges), 0.5)) if self._ranges else None
        self._generation = 0
        self._running: dict[int, tuple[int, np.ndarray[Any, Any]]] = {}  # generation and place by number
        self._ranked: list[tuple[tuple[bool, int, float], np.ndarray[Any, Any]]] = []

    @property
    def origin(self) -> Origin:
        """The sampler, from the first trial on."""
        return self._others.origin if self._optimizer is None else Origin.SAMPLER

    def begin(self, begun: Begun) -> None:
        """Note in which generation a trial was proposed."""
        self._others.begin(begun)
        if self._optimizer is not None and begun.origin is not Origin.RANDOM:
            place = np.array([to_unit(domain, begun.choices[name][1]) for name, domain in self._ranges.items()])
            self._running[begun.n] = (self._generation, place)

    def finish(self, result: Result) -> None:
        """Rank a result; a full generation moves the distribution."""
        self._others.finish(result)
        generation, place = self._running.pop(result.n, (None, None))
        if place is None or result.value is None or generation != self._generation:
            return
        loss = -result.value if self._question.goal is Goal.MAXIMIZE else result.value
        self._ranked.append(((result.outcome is Outcome.STOPPED, -result.epoch, loss), place))
        optimizer = self._optimizer
        assert optimizer is not None
        if len(self._ranked) < optimizer.population_size:
            return
        self._ranked.sort(key=lambda item: item[0])
        optimizer.tell([(place, float(rank)) for rank, (_, place) in enumerate(self._ranked)])
        self._ranked.clear()
        self._generation += 1
        if optimizer.should_stop():
            self._starts += 1
            chance = np.random.default_rng(derived_seed(self._question.seed, f"cmaes {self._starts}"))
            self._optimizer = self._started(chance.random(len(self._ranges)))

    def draws(self, n: int) -> Generator[Choose]:
        """Yield draws from the distribution, the other parameters by tpe."""
        if self._optimizer is None:
            yield from self._others.draws(n)
            return
        self._optimizer.reseed_rng(self._question.seed_of(n))
        for others in self._others.draws(n):
            places = dict(zip(self._ranges, map(float, self._optimizer.ask()), strict=True))

            def choose(key: str, domain: Domain, places: dict[str, float] = places, others: Choose = others) -> Any:
                return from_unit(domain, places[key]) if key in places else others(key, domain)

            yield choose

    def _started(self, mean: np.ndarray[Any, Any]) -> CMA:
        from cmaes import CMA  # noqa: PLC0415  # imports scipy.stats, which takes half a second

        count = len(self._ranges)
        return CMA(
            mean=mean,
            sigma=self._sigma0,
            bounds=np.array([[0.0, 1.0]] * count),
            n_max_resampling=_RESAMPLING * count,
            seed=0,  # every draw is seeded by itself
            population_size=self._population,
        )
