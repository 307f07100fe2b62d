"""Domains as the interval from 0 to 1, for samplers that think in numbers.

Every value of a finite domain has a part of the same length (of an integer range with ``log``, of a length that its
logarithm has), so that even points draw even values.
"""

from __future__ import annotations

import math
from typing import Any

from tuner.space.domains import Domain, Integer, Listed, Real


def from_unit(domain: Domain, place: float) -> Any:
    """Return the value of a domain at a place from 0 to 1, both included."""
    match domain:
        case Listed():
            return domain.values[_index(place, domain.size)]
        case Integer(log=True):
            low, high = _ends(domain)
            return min(max(round(math.exp(low + place * (high - low))), domain.low), domain.high)
        case Integer():
            return domain.low + _index(place, domain.size) * (domain.step or 1)
        case Real(step=float(step)) if domain.size is not None:
            return min(domain.low + _index(place, domain.size) * step, domain.high)
        case Real(log=True):
            low, high = _ends(domain)
            return min(max(math.exp(low + place * (high - low)), domain.low), domain.high)
        case Real():
            return min(domain.low + place * (domain.high - domain.low), domain.high)
    raise AssertionError(f"{domain} is not searched")


def to_unit(domain: Real | Integer, value: float) -> float:
    """Return the place of a value of a range of more than one: the middle of its part."""
    if domain.log:
        low, high = _ends(domain)
        return (math.log(value) - low) / (high - low)
    step = domain.step or (1 if isinstance(domain, Integer) else None)
    if step is None:
        return (value - domain.low) / (domain.high - domain.low)
    steps = round((value - domain.low) / step)
    return (steps + 0.5) / (round((domain.high - domain.low) / step) + 1)


def _index(place: float, size: int | None) -> int:
    assert size is not None
    return min(int(place * size), size - 1)


def _ends(domain: Real | Integer) -> tuple[float, float]:
    """Return the logarithms between which values lie; an integer stands for all that is rounded to it."""
    margin = 0.5 if isinstance(domain, Integer) else 0.0
    return math.log(domain.low - margin), math.log(domain.high + margin)
