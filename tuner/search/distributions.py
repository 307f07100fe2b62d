"""Domains of a search file as Optuna's distributions, and values there and back."""

from __future__ import annotations

import json
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from tuner.space.domains import Domain, Integer, Listed, Real


def distribution_of(domain: Domain) -> BaseDistribution:
    """Return the distribution of a domain that is searched."""
    match domain:
        case Real():
            return FloatDistribution(domain.low, domain.high, log=domain.log, step=domain.step)
        case Integer():
            return IntDistribution(domain.low, domain.high, log=domain.log, step=domain.step or 1)
        case Listed():
            return CategoricalDistribution(_choices(domain))
    raise AssertionError(f"{domain} is not searched")


def to_optuna(domain: Domain, value: Any) -> Any:
    """Return a value of a domain as Optuna holds it."""
    return _choices(domain)[domain.values.index(value)] if isinstance(domain, Listed) else value


def suggest(trial: optuna.Trial, key: str, domain: Domain) -> Any:
    """Let Optuna choose a value of a domain."""
    match domain:
        case Real():
            return trial.suggest_float(key, domain.low, domain.high, log=domain.log, step=domain.step)
        case Integer():
            return trial.suggest_int(key, domain.low, domain.high, log=domain.log, step=domain.step or 1)
        case Listed():
            choices = _choices(domain)
            return domain.values[choices.index(trial.suggest_categorical(key, choices))]
    raise AssertionError(f"{domain} is not searched")


def _choices(domain: Listed) -> tuple[Any, ...]:
    """Return the listed values as Optuna accepts them: lists and mappings as JSON text."""
    return tuple(json.dumps(value) if isinstance(value, list | dict) else value for value in domain.values)
