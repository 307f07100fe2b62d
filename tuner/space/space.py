"""The space of configurations: what a sampler may propose."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, islice

from tuner.facts.fields import Field, Rule
from tuner.space.domains import Constant, Domain, Integer, Real, spelled
from tuner.space.nodes import Expression
from tuner.space.parameters import Alternative, Parameter

#: Spaces above this many configurations, constraints left aside, are not counted.
MAX_COUNTED = 100_000


@dataclass(frozen=True)
class Space:
    """All configurations of a search.

    Attributes:
        parameters: Name to parameter, parents before children.
        constraints: Conditions that every configuration fulfils.
        rules: What every configuration keeps besides, as the built-in trainable's fields say.
        defaults: Fields of a built-in trainable that the constraints and rules mention and ``parameters`` lacks, with
            the parents that decide their defaults, parents first.
    """

    parameters: Mapping[str, Parameter]
    constraints: tuple[Expression, ...] = ()
    rules: tuple[Rule, ...] = ()
    defaults: Mapping[str, Field] = field(default_factory=dict)

    @property
    def searched(self) -> tuple[str, ...]:
        """Return the names whose values differ between configurations."""
        return tuple(name for name, parameter in self.parameters.items() if parameter.size != 1)

    @property
    def unconditional_ranges(self) -> Mapping[str, Real | Integer]:
        """Return the ranges of more than one value that every configuration draws from, by name."""
        ranges = {}
        for name, parameter in self.parameters.items():
            first, *others = parameter.alternatives
            if not others and not first.when and isinstance(first.domain, Real | Integer) and first.domain.size != 1:
                ranges[name] = first.domain
        return ranges

    def configure(self, choose: Callable[[str, Domain], object]) -> dict[str, object]:
        """Return a configuration, active parameters alone, parents before children.

        Args:
            choose: Called with the key of an alternative (see ``Parameter.key``) and its domain for each active
                parameter that is not constant; returns a value of the domain.
        """
        config: dict[str, object] = {}
        for name, parameter in self.parameters.items():
            if (index := parameter.active(config)) is not None:
                domain = parameter.alternatives[index].domain
                config[name] = domain.value if isinstance(domain, Constant) else choose(parameter.key(index), domain)
        return config

    def allows(self, config: Mapping[str, object]) -> bool:
        """Return whether a configuration fulfils every constraint and rule; see ``broken``."""
        return self.broken(config) is None

    def broken(self, config: Mapping[str, object]) -> str | None:
        """Return the first constraint or rule that a configuration breaks, in words, or None.

        One that mentions an inactive parameter holds; one that has no value (a division by zero) is broken.
        """
        values = with_defaults(config, self.defaults) if self.defaults else config
        constraints = (f"the constraint '{item}'" for item in self.constraints if not _fulfilled(item, values))
        rules = (f"a rule: {rule.says}" for rule in (self.broken_rule(config),) if rule is not None)
        return next(chain(constraints, rules), None)

    def broken_rule(self, config: Mapping[str, object]) -> Rule | None:
        """Return the first rule that a configuration breaks, or None."""
        values = with_defaults(config, self.defaults) if self.defaults else config
        return next((rule for rule in self.rules if not rule.holds(values)), None)

    def configurations(self) -> Iterator[dict[str, object]]:
        """Yield every configuration that the constraints allow.

        Raises:
            ValueError: A parameter has infinitely many values.
        """
        return filter(self.allows, assignments(self.parameters.values()))

    def size(self) -> int | None:
        """Return the number of configurations; None above ``MAX_COUNTED``, constraints left aside."""
        if any(parameter.size is None for parameter in self.parameters.values()):
            return None
        allowed = [self.allows(config) for config in islice(assignments(self.parameters.values()), MAX_COUNTED + 1)]
        return None if len(allowed) > MAX_COUNTED else sum(allowed)

    def admits(self, point: Mapping[str, object]) -> str | None:
        """Return why no configuration has these values, as one sentence; None if one may.

        Args:
            point: Name to value; the sampler chooses what is left out.
        """
        unknown = next((name for name in point if name not in self.parameters), None)
        if unknown is not None:
            return f"'{unknown}' is not in parameters"
        config: dict[str, object] = {}
        undecided: set[str] = set()
        for name, parameter in self.parameters.items():
            domains = _candidates(parameter, config, undecided)
            if name in point:
                if not any(domain.contains(point[name]) for domain in domains):
                    return _outside(name, point[name], domains)
                config[name] = point[name]
            elif len(domains) == 1 and isinstance(domains[0], Constant) and not parameter.parents & undecided:
                config[name] = domains[0].value
            elif domains:
                undecided.add(name)
        decided = replace(
            self,
            constraints=tuple(item for item in self.constraints if not item.names & undecided),
            rules=tuple(item for item in self.rules if not (item.names | item.reads) & undecided),
        )
        broken = decided.broken(config)
        return None if broken is None else f"the point breaks {broken}"


def assignments(parameters: Iterable[Parameter]) -> Iterator[dict[str, object]]:
    """Yield every combination of values of finite parameters, active ones alone, whatever the constraints.

    Args:
        parameters: Parents before children, with all parents.
    """
    ordered = tuple(parameters)
    # At depth d stand the configurations that have yet to decide parameter d; no recursion, as files may be long.
    pending: list[Iterator[dict[str, object]]] = [iter([{}])]
    while pending:
        config = next(pending[-1], None)
        if config is None:
            pending.pop()
        elif len(pending) > len(ordered):
            yield config
        else:
            pending.append(_extended(config, ordered[len(pending) - 1]))


def _extended(config: dict[str, object], parameter: Parameter) -> Iterator[dict[str, object]]:
    index = parameter.active(config)
    if index is None:
        return iter([config])
    return ({**config, parameter.name: value} for value in parameter.alternatives[index].domain)


def with_defaults(config: Mapping[str, object], fields: Mapping[str, Field]) -> dict[str, object]:
    """Return a configuration with the defaults of those fields that apply and that it leaves out, parents first."""
    values = dict(config)
    for name, item in fields.items():
        if name not in values and item.applies_to(values):
            values[name] = item.default_for(values)
    return values


def _fulfilled(constraint: Expression, values: Mapping[str, object]) -> bool:
    if not constraint.names <= values.keys():
        return True
    try:
        return constraint.evaluate(values) is True
    except ValueError:
        return False


def _candidates(parameter: Parameter, config: Mapping[str, object], undecided: set[str]) -> list[Domain]:
    """Return the domains that a parameter may take, given its parents as far as they are decided."""
    domains = []
    for item in parameter.alternatives:
        decided = {parent: values for parent, values in item.when.items() if parent not in undecided}
        if Alternative(item.domain, decided).holds(config):
            domains.append(item.domain)
            if len(decided) == len(item.when):
                break
    return domains


def _outside(name: str, value: object, domains: list[Domain]) -> str:
    if not domains:
        return f"'{name}' is inactive under the point's other values"
    return f"'{name}' is {spelled(value)}, which is not in {' or in '.join(domain.text for domain in domains)}"
