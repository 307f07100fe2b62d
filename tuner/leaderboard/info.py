"""What a leaderboard needs to know about its search: name, metric, goal, and a type for each hyperparameter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuner.facts.errors import ResultsDamagedError
from tuner.facts.records import Goal, Metric
from tuner.space.domains import Constant, Domain, Integer, Listed, Real
from tuner.space.space import Space

#: A set of value kinds to the type of the column that holds them all; any other set becomes JSON text.
_DTYPES: Mapping[frozenset[str], str] = {
    frozenset({"boolean"}): "boolean",
    frozenset({"integer"}): "Int64",
    frozenset({"number"}): "float64",
    frozenset({"integer", "number"}): "float64",
    frozenset({"string"}): "string",
    frozenset(): "string",
}

_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True)
class SearchInfo:
    """One search, as far as its leaderboard shows it.

    Attributes:
        name: The search's name.
        metric: Name of the number that is optimized; of several the first, by which trials are ranked.
        goal: Whether a larger or a smaller metric is better.
        hyperparameters: Column name to type, in the order of the search file: float64, Int64, boolean, string, or
            ``json`` (string holding JSON text, for lists and for values of mixed kinds).
        further: The metrics beside the first.
    """

    name: str
    metric: str
    goal: Goal
    hyperparameters: Mapping[str, str]
    further: tuple[Metric, ...] = ()

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Return all metrics, the first one first."""
        return (Metric(self.metric, self.goal), *self.further)

    @classmethod
    def of(cls, name: str, metric: str, goal: Goal, space: Space, further: Sequence[Metric] = ()) -> SearchInfo:
        """Return the description of a search over a space."""
        dtypes = {
            parameter.name: _dtype(kind for item in parameter.alternatives for kind in _kinds(item.domain))
            for parameter in space.parameters.values()
        }
        return cls(name, metric, goal, dtypes, tuple(further))

    def to_json(self) -> dict[str, Any]:
        """Return the description as it stands in search.json and in the metadata of the Parquet files."""
        return {
            "search": self.name,
            **self.metrics_to_json(),
            "hyperparameters": dict(self.hyperparameters),
        }

    def metrics_to_json(self) -> dict[str, Any]:
        """Return ``metric``, the first one, and where there are several ``metrics``, all of them."""
        records = [{"name": metric.name, "goal": str(metric.goal)} for metric in self.metrics]
        return {"metric": records[0]} | ({"metrics": records} if self.further else {})

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> SearchInfo:
        """Return the description that ``to_json`` gave; further keys are left alone.

        Raises:
            ResultsDamagedError: A key is missing or holds something else.
        """
        try:
            metric, dtypes = record["metric"], dict(record["hyperparameters"])
            further = [Metric(item["name"], Goal(item["goal"])) for item in record.get("metrics", [metric])[1:]]
            names = [metric["name"], *(item.name for item in further)]
            if not all(isinstance(name, str) for name in (record["search"], *names, *dtypes)):
                raise TypeError("a name is no text")
            if unknown := set(dtypes.values()) - {*_DTYPES.values(), "json"}:
                raise ValueError(f"unknown types {sorted(unknown)}")
            return cls(record["search"], metric["name"], Goal(metric["goal"]), dtypes, tuple(further))
        except (KeyError, TypeError, ValueError) as error:
            raise ResultsDamagedError(f"the description of the search cannot be read: {error!r}") from error


def _dtype(kinds: Iterable[str]) -> str:
    return _DTYPES.get(frozenset(kinds), "json")


def _kinds(domain: Domain) -> Iterator[str]:
    match domain:
        case Real():
            yield "number"
        case Integer():
            yield "integer"
        case Listed(values=values):
            yield from (_kind(value) for value in values if value is not None)
        case Constant(value=value):
            yield from () if value is None else (_kind(value),)


def _kind(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and value not in _INT64:
        return "json"
    return {bool: "boolean", int: "integer", float: "number", str: "string"}.get(type(value), "json")
