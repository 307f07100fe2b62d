"""Quasi-Monte Carlo: a low-discrepancy sequence over the whole space."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, ClassVar

from tuner.facts.seeds import derived_seed
from tuner.search.samplers.sampler import Choose, Question, Sampler
from tuner.search.samplers.unit import from_unit
from tuner.space.domains import Constant, Domain

#: Points that are made at a time: a power of two, as Sobol' sequences like.
_BLOCK = 256
#: Points that are looked through for each trial: where constraints leave less of the space, trials are random.
_POINTS = 1000


class Qmc(Sampler):
    """Proposes the points of a Sobol' or Halton sequence, one after the other, those left out that may not run.

    Bergstra and Bengio 2012, "Random Search for Hyper-Parameter Optimization", section 4. Trial n takes the n-th point
    that keeps the constraints (of a finite space, the n-th configuration that is new), whatever became of the others:
    a function of seed and number. Each alternative of a parameter has a dimension of its own, also where it is not
    taken, so that all configurations belong to one sequence.
    """

    patience: ClassVar[int] = 1

    def __init__(self, question: Question, *, qmc_type: str, scramble: bool) -> None:
        from scipy.stats import qmc  # noqa: PLC0415  # scipy.stats takes half a second

        space = question.space
        keys = [
            parameter.key(index)
            for parameter in space.parameters.values()
            for index, item in enumerate(parameter.alternatives)
            if not isinstance(item.domain, Constant)
        ]
        self._dimension = {key: index for index, key in enumerate(keys)}
        self._space = space
        self._finite = space.size() is not None
        engine = {"sobol": qmc.Sobol, "halton": qmc.Halton}[qmc_type]
        seed = derived_seed(question.seed, "qmc")
        self._engine = engine(len(keys), scramble=scramble, seed=seed) if keys else None
        self._points: list[list[float]] = []
        self._chosen: list[list[float]] = []  # of these, those that may run
        self._looked = 0
        self._known: set[str] = set()

    def draws(self, n: int) -> Generator[Choose]:
        """Yield the choices at the trial's point, if it has one."""
        most = _POINTS * (n + 1)
        while len(self._chosen) <= n and self._looked < most and self._engine is not None:
            self._look()
        if n < len(self._chosen):
            yield self._at(self._chosen[n])

    def _look(self) -> None:
        if self._looked == len(self._points):
            assert self._engine is not None
            self._points += self._engine.random(_BLOCK).tolist()
        point = self._points[self._looked]
        self._looked += 1
        config = self._space.configure(self._at(point))
        if not self._space.allows(config) or (self._finite and self._repeated(config)):
            return
        self._chosen.append(point)

    def _repeated(self, config: Mapping[str, object]) -> bool:
        text = repr(sorted(config.items()))
        known = text in self._known
        self._known.add(text)
        return known

    def _at(self, point: list[float]) -> Choose:
        def choose(key: str, domain: Domain) -> Any:
            return from_unit(domain, point[self._dimension[key]])

        return choose
