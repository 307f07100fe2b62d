"""Random configurations, to show and to try; the sampler of a search is elsewhere."""

from __future__ import annotations

import math
import random

from tuner.space.domains import Constant, Domain, Integer, Listed
from tuner.space.space import Space

#: Draws after which a space counts as one whose constraints hardly anything fulfils.
MAX_DRAWS = 1000


def draw(domain: Domain, generator: random.Random) -> object:
    """Return a random value of a domain, evenly in the logarithm where the domain says so."""
    if isinstance(domain, Constant):
        return domain.value
    if isinstance(domain, Listed):
        return generator.choice(domain.values)
    if domain.log:
        # Half a unit more on either side gives the ends of integers their share.
        margin = 0.5 if isinstance(domain, Integer) else 0.0
        exact = math.exp(generator.uniform(math.log(domain.low - margin), math.log(domain.high + margin)))
        return min(max(round(exact) if isinstance(domain, Integer) else exact, domain.low), domain.high)
    if domain.size is None:
        return generator.uniform(domain.low, domain.high)
    return domain.low + generator.randrange(domain.size) * (domain.step or 1)


def sample(space: Space, generator: random.Random) -> dict[str, object] | None:
    """Return a random configuration that the constraints allow; None if ``MAX_DRAWS`` draws found none."""
    for _ in range(MAX_DRAWS):
        config = space.configure(lambda _, domain: draw(domain, generator))
        if space.allows(config):
            return config
    return None
