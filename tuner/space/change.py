"""What a changed space makes of the configurations that were tried before it changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tuner.facts.fields import Field
from tuner.space.constraints import as_drawn
from tuner.space.nodes import equal
from tuner.space.space import Space


@dataclass(frozen=True)
class Change:
    """How a space follows from the one before it.

    Attributes:
        renamed: Old name to new name of parameters.
        defaults: Name of a parameter to the value of configurations that lack it.
        fields: Of the built-in trainable, whose defaults stand behind ``defaults``; empty for one's own.
    """

    renamed: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Field] = field(default_factory=dict)

    def names(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return a configuration under the new names."""
        return {self.renamed.get(name, name): value for name, value in config.items()}

    def translated(self, config: Mapping[str, Any], space: Space) -> dict[str, Any] | None:
        """Return an earlier configuration as one of a new space; None if it does not lie there.

        A parameter that the configuration lacks has its default, and one that the new space lacks must have had it.
        ``seed`` is kept as it is, whether it is searched or not.
        """
        left = self.names(config)
        seed = {} if "seed" in space.parameters else {"seed": left.pop("seed", None)}
        found: dict[str, Any] = {}
        for name, parameter in space.parameters.items():  # parents before children
            index = parameter.active(found)
            if index is None:
                continue
            known, value = (True, left.pop(name)) if name in left else self._default(name, found)
            if not known or not parameter.alternatives[index].domain.contains(value):
                return None
            found[name] = as_drawn(space, name, value)
        for name, value in left.items():
            known, default = self._default(name, {**left, **found})
            if not known or not equal(value, default):
                return None
        return {**found, **seed} if space.allows(found) else None

    def _default(self, name: str, config: Mapping[str, Any]) -> tuple[bool, Any]:
        """Return whether the default is known, and which it is."""
        if name in self.defaults:
            return True, self.defaults[name]
        if name in self.fields:
            return True, self.fields[name].default_for(config)
        return False, None


#: How a space follows from itself.
UNCHANGED = Change()
