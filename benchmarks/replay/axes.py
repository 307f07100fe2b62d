"""A flat space as a cube: a searched parameter is a place from 0 to 1, even in the logarithm where it says ``log``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuner.space.domains import Domain, Integer, Listed
from tuner.space.space import Space


@dataclass(frozen=True)
class Axis:
    """One searched parameter. Listed values lie at even distances in the order of the list."""

    name: str
    domain: Domain

    def place(self, value: Any) -> float:
        """Return where a value lies, from 0 to 1."""
        domain = self.domain
        if isinstance(domain, Listed):
            return domain.values.index(value) / max(1, len(domain.values) - 1)
        low, high = self._ends
        return (self._warped(value) - low) / (high - low)

    def value(self, place: float) -> Any:
        """Return the value nearest to a place."""
        domain = self.domain
        if isinstance(domain, Listed):
            return domain.values[round(place * (len(domain.values) - 1))]
        low, high = self._ends
        exact = low + place * (high - low)
        exact = math.exp(exact) if domain.log else exact
        step = domain.step or (1 if isinstance(domain, Integer) else None)
        if step is not None:
            exact = domain.low + round((exact - domain.low) / step) * step
        return min(max(exact, domain.low), domain.high)

    @property
    def _ends(self) -> tuple[float, float]:
        return self._warped(self.domain.low), self._warped(self.domain.high)

    def _warped(self, value: float) -> float:
        return math.log(value) if self.domain.log else float(value)

    def snapped(self, places: np.ndarray) -> np.ndarray:
        """Return the places of the nearest values; what is outside is moved to the end."""
        inside = np.clip(places, 0.0, 1.0)
        size = self.domain.size
        if size is None or size == 1:
            return inside
        if isinstance(self.domain, Listed) or not self.domain.log:
            return np.round(inside * (size - 1)) / (size - 1)
        return np.array([self.place(self.value(place)) for place in inside])


def axes_of(space: Space) -> tuple[Axis, ...]:
    """Return the axes of a space in its order.

    Raises:
        ValueError: A searched parameter is conditional, or lists texts, which have no order.
    """
    axes = []
    for name in space.searched:
        alternatives = space.parameters[name].alternatives
        if len(alternatives) > 1 or alternatives[0].when:
            raise ValueError(f"'{name}' is conditional; a replay takes a flat space")
        domain = alternatives[0].domain
        if isinstance(domain, Listed) and not all(isinstance(value, int | float) for value in domain.values):
            raise ValueError(f"'{name}' lists values that have no order; a replay takes numbers")
        axes.append(Axis(name, domain))
    return tuple(axes)


def places_of(axes: Sequence[Axis], config: Mapping[str, Any]) -> np.ndarray:
    """Return a configuration as a point of the cube."""
    return np.array([axis.place(config[axis.name]) for axis in axes])


def config_of(space: Space, axes: Sequence[Axis], places: np.ndarray) -> dict[str, Any]:
    """Return the configuration at a point of the cube, constants included."""
    values = {axis.name: axis.value(float(place)) for axis, place in zip(axes, places, strict=True)}
    return space.configure(lambda key, _: values[key])


def snapped(axes: Sequence[Axis], points: np.ndarray) -> np.ndarray:
    """Return points, one a row, moved to the nearest ones that are configurations."""
    return np.stack([axis.snapped(points[:, column]) for column, axis in enumerate(axes)], axis=1)
