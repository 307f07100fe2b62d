"""The configuration that winners must beat: what one would have trained without a search."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tuner.facts.configs import without_seed
from tuner.facts.errors import UsageError
from tuner.facts.records import Origin
from tuner.hyperparameters.table import FIELDS, applying, resolve
from tuner.journal.history import History
from tuner.space.domains import Constant
from tuner.space.searchfile import SearchFile
from tuner.space.space import Space


def default_configuration(file: SearchFile, history: History) -> dict[str, Any]:
    """Return the default configuration of a search, without a seed.

    For the built-in trainable it is the typed defaults with the values that the file fixes, as far as they apply; what
    it leaves out has its default. For one's own trainable it is the first of ``search.points``, as it was tried.

    Raises:
        UsageError: There is none.
    """
    if file.data is not None:
        return _typed(file.space)
    trial = history.trials.get(0)
    if not file.search.points or trial is None or trial.ask.origin is not Origin.POINT:
        raise UsageError(
            f"there is no default configuration to compare with: for {file.trainable}, a function of your own, it is "
            "the first of 'search.points', and this search began without one"
        )
    return without_seed(trial.ask.config)


def _typed(space: Space) -> dict[str, Any]:
    fixed: dict[str, Any] = {}
    for _ in FIELDS:  # a fixed value may decide which others apply
        now = dict(_constants(space, applying(fixed)))
        if now == fixed:
            break
        fixed = now
    try:
        resolve(fixed)
    except UsageError as error:
        raise UsageError(f"the defaults with what the search file fixes cannot be trained: {error}") from error
    return fixed


def _constants(space: Space, active: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, parameter in space.parameters.items():
        index = parameter.active(active)
        if index is not None and name in active and name != "seed":
            domain = parameter.alternatives[index].domain
            if isinstance(domain, Constant):
                yield name, domain.value
