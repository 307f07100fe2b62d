"""A parameter: alternatives, each a domain and the condition under which it is taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tuner.space.domains import Domain
from tuner.space.nodes import equal


@dataclass(frozen=True)
class Alternative:
    """A domain, taken where ``when`` holds.

    Attributes:
        domain: What the parameter may be.
        when: Parent to the values that it may have; all parents must be active and have one of theirs.
    """

    domain: Domain
    when: Mapping[str, tuple[object, ...]] = field(default_factory=dict)

    def holds(self, config: Mapping[str, object]) -> bool:
        """Return whether the condition holds under a configuration of the parents."""
        return all(
            parent in config and any(equal(config[parent], value) for value in values)
            for parent, values in self.when.items()
        )


@dataclass(frozen=True)
class Parameter:
    """A named choice of a search.

    Attributes:
        name: An identifier.
        alternatives: At least one; the first whose condition holds is taken.
    """

    name: str
    alternatives: tuple[Alternative, ...]

    def active(self, config: Mapping[str, object]) -> int | None:
        """Return the index of the alternative that a configuration of the parents takes; None if it is inactive."""
        return next((index for index, item in enumerate(self.alternatives) if item.holds(config)), None)

    def key(self, index: int) -> str:
        """Return the name under which a sampler knows an alternative: Optuna wants one domain for each name."""
        return self.name if len(self.alternatives) == 1 else f"{self.name}@{index}"

    @property
    def parents(self) -> frozenset[str]:
        """Return the names that its conditions mention."""
        return frozenset(parent for item in self.alternatives for parent in item.when)

    @property
    def size(self) -> int | None:
        """Return the number of values over all alternatives; None for infinitely many."""
        sizes = [item.domain.size for item in self.alternatives]
        return None if None in sizes else sum(size for size in sizes if size is not None)
