"""All hyperparameters of the built-in trainable as one table and one typed value."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from tuner.facts.errors import UsageError
from tuner.facts.fields import Field, Kind, condition
from tuner.hyperparameters.augmentation import Augmentation
from tuner.hyperparameters.budget import Budget
from tuner.hyperparameters.declare import fields_of
from tuner.hyperparameters.dropout import Dropout
from tuner.hyperparameters.inputs import Input
from tuner.hyperparameters.loss import Loss
from tuner.hyperparameters.mixing import Mixing
from tuner.hyperparameters.model import Model
from tuner.hyperparameters.optimizer import Optimizer
from tuner.hyperparameters.penalties import Penalties
from tuner.hyperparameters.schedule import Schedule
from tuner.hyperparameters.stability import Stability


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """One configuration of the built-in trainable, group by group.

    Made by ``resolve``. A hyperparameter that does not apply (``momentum`` with adamw) holds a value that nothing
    reads, and is absent from ``as_config``.
    """

    model: Model = field(default_factory=Model)
    input: Input = field(default_factory=Input)
    dropout: Dropout = field(default_factory=Dropout)
    mixing: Mixing = field(default_factory=Mixing)
    augmentation: Augmentation = field(default_factory=Augmentation)
    penalties: Penalties = field(default_factory=Penalties)
    loss: Loss = field(default_factory=Loss)
    optimizer: Optimizer = field(default_factory=Optimizer)
    schedule: Schedule = field(default_factory=Schedule)
    stability: Stability = field(default_factory=Stability)
    budget: Budget = field(default_factory=Budget)

    def as_config(self) -> dict[str, object]:
        """Return name to value of every hyperparameter that applies, in the table's order."""
        values = {name: value for group in _GROUPS for name, value in vars(getattr(self, group)).items()}
        return {name: value for name, value in values.items() if FIELDS[name].applies_to(values)}


_GROUPS: Mapping[str, type] = {item.name: item.default_factory for item in dataclasses.fields(Hyperparameters)}  # type: ignore[misc]

#: Heading to the dataclass of each group, in order.
GROUPS: Mapping[str, type] = MappingProxyType({group.__name__: group for group in _GROUPS.values()})

#: Name to field of every hyperparameter, in the order of the groups.
FIELDS: Mapping[str, Field] = MappingProxyType(
    {item.name: item for group in _GROUPS.values() for item in fields_of(group)}
)

#: Name of each built-in trainable to its fields.
TRAINABLES: Mapping[str, Mapping[str, Field]] = MappingProxyType({"cifar": FIELDS})


def resolve(config: Mapping[str, object]) -> Hyperparameters:
    """Return the typed configuration, defaults filled in.

    Args:
        config: Name to value; names left out take their defaults.

    Raises:
        UsageError: An unknown name, a value out of bounds, one that does not apply, or values that exclude each other;
            all of them in one text.
    """
    known = {name: value for name, value in config.items() if name in FIELDS}
    problems = [_unknown(name) for name in config if name not in FIELDS]
    values: dict[str, Any] = {}
    for name, item in FIELDS.items():  # parents stand before their children
        default = item.default_for(values)
        values[name] = known.get(name, default)
        if (wrong := item.problem(values[name])) is not None:
            problems.append(f"{name} {wrong}")
            values[name] = default  # its children are judged by a value that can be one
        elif item.kind is Kind.REAL and values[name] is not None:
            values[name] = float(values[name])  # PyTorch's Adam refuses a beta of 0 that is an integer
    active = {name: value for name, value in values.items() if FIELDS[name].applies_to(values)}
    for name in known:
        if name not in active:
            parents = " and ".join(condition(FIELDS[parent], on) for parent, on in FIELDS[name].applies.items())
            problems.append(f"{name} applies only where {parents}")
    if not problems:  # a rule may rely on values that are in bounds
        problems = [rule.says for item in FIELDS.values() for rule in item.rules if not rule.holds(active)]
    if problems:
        raise UsageError("; ".join(problems))
    return Hyperparameters(
        **{group: cls(**{item.name: values[item.name] for item in fields_of(cls)}) for group, cls in _GROUPS.items()}
    )


def applying(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return name to value of every hyperparameter that applies under a configuration, defaults filled in."""
    values: dict[str, Any] = {}
    for name, item in FIELDS.items():  # parents stand before their children
        values[name] = config.get(name, item.default_for(values))
    return {name: value for name, value in values.items() if FIELDS[name].applies_to(values)}


def _unknown(name: str) -> str:
    near = get_close_matches(name, FIELDS, n=1)
    return f"unknown hyperparameter '{name}'" + (f"; did you mean '{near[0]}'?" if near else "")
