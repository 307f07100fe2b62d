"""Whether all that may be trained fits its images and weights, found out before the first trial."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from tuner.facts.errors import UsageError
from tuner.hyperparameters.architectures import ImageShape, image_problem
from tuner.hyperparameters.augmentation import COLOURS, colour_problem
from tuner.hyperparameters.table import FIELDS
from tuner.space.applicability import with_parents
from tuner.space.domains import Integer, Real
from tuner.space.parameters import Parameter
from tuner.space.space import MAX_COUNTED, Space, with_defaults

#: What decides which images and weights a configuration takes.
_DECISIVE = ("normalize", "image_size", "model", "pretrained", "depth", "norm")


def refuse_unsuitable_images(configs: Iterable[Mapping[str, Any]], image_shape: ImageShape) -> None:
    """Raise ``UsageError`` where one of the configurations, defaults filled in, cannot train on the images."""
    for config in configs:
        problem = image_problem(config, image_shape) or colour_problem(config, image_shape[0])
        if problem is not None:
            raise UsageError(problem)


def pretrained_models(configs: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the architectures that one of the configurations, defaults filled in, begins with pretrained weights."""
    return sorted({config["model"] for config in configs if config["pretrained"]})


def _largest(parameter: Parameter) -> float:
    """Return the largest number that some alternative of a parameter allows."""
    found: list[Any] = []
    for alternative in parameter.alternatives:
        domain = alternative.domain
        found += [domain.high] if isinstance(domain, (Real, Integer)) else domain
    largest: float = max(found)
    return largest


def variants(space: Space) -> Iterator[Mapping[str, Any]]:
    """Yield what the configurations of a space say of images and weights, defaults filled in.

    Changes of colour have the largest value that any configuration may have. Constraints and rules that look at other
    hyperparameters are left aside: what they exclude is yielded as well.
    """
    largest = {name: _largest(space.parameters[name]) for name in COLOURS if name in space.parameters}
    names = _with_all_parents(_DECISIVE, space)
    part = replace(
        space,
        parameters={name: item for name, item in space.parameters.items() if name in names},
        constraints=tuple(item for item in space.constraints if item.names <= names),
        rules=tuple(item for item in space.rules if item.names | item.reads <= names),
        defaults={name: item for name, item in space.defaults.items() if name in names},
    )
    fields = {name: item for name, item in FIELDS.items() if name in names}
    for config in islice(part.configurations(), MAX_COUNTED):
        yield {**with_defaults(config, fields), **largest}


def _with_all_parents(names: Iterable[str], space: Space) -> set[str]:
    """Return hyperparameters with all that decides, by the table or by the search file, whether they are active."""
    found: set[str] = set()
    waiting = set(names)
    while waiting:
        found |= waiting
        parents = {parent for name in waiting & space.parameters.keys() for parent in space.parameters[name].parents}
        waiting = parents.union(with_parents(waiting, FIELDS)) - found
    return found
