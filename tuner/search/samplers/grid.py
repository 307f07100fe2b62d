"""Every configuration of a finite space."""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import Any

from tuner.facts.seeds import derived_seed
from tuner.search.samplers.sampler import Begun, Choose, Question, Sampler
from tuner.space.domains import Domain
from tuner.space.space import Space

_Key = tuple[tuple[str, str], ...]


class Grid(Sampler):
    """Goes through all configurations in an order that the seed shuffles, and leaves out those that were proposed.

    A search that ends early has so seen a fair sample of the grid.
    """

    def __init__(self, question: Question) -> None:
        configurations = [_choices(question.space, config) for config in question.space.configurations()]
        random.Random(derived_seed(question.seed, "grid")).shuffle(configurations)
        self._left: dict[_Key, dict[str, Any]] = {_key(choices): choices for choices in configurations}

    def begin(self, begun: Begun) -> None:
        """Leave out what was proposed."""
        self._left.pop(_key({key: value for key, (_, value) in begun.choices.items()}), None)

    def draws(self, n: int) -> Generator[Choose]:
        """Yield the configurations that are left, in order."""
        for choices in list(self._left.values())[: self.patience]:
            yield _chooser(choices)


def _choices(space: Space, config: dict[str, object]) -> dict[str, Any]:
    """Return the values of a configuration by the keys of the alternatives that it takes."""
    choices: dict[str, Any] = {}

    def retrace(key: str, domain: Domain) -> Any:
        choices[key] = config[key.partition("@")[0]]
        return choices[key]

    space.configure(retrace)
    return choices


def _chooser(choices: dict[str, Any]) -> Choose:
    def choose(key: str, domain: Domain) -> Any:
        # A given point leads to another alternative here, which this configuration says nothing of.
        return choices[key] if key in choices else next(iter(domain))

    return choose


def _key(choices: dict[str, Any]) -> _Key:
    return tuple(sorted((key, repr(value)) for key, value in choices.items()))
