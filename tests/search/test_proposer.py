"""What is proposed keeps every condition and constraint, and Optuna is told the truth about what became of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from tests.search.simulation import CONDITIONAL, Simulation, parameter, space_of
from tuner.facts.errors import UsageError
from tuner.facts.records import Decision, Goal, Metric, Origin, State
from tuner.facts.seeds import derived_seed
from tuner.journal.events import Ask, End, Epoch, Rung
from tuner.search.proposer import Proposer
from tuner.search.samplers.tpe import Tpe
from tuner.space.domains import Constant, Integer, Listed, Real
from tuner.space.expressions import parse
from tuner.space.space import Space


def proposer(space: Space, algorithm: str = "tpe", **options: Any) -> Proposer:
    return Proposer(space, algorithm=algorithm, seed=0, goal=Goal.MAXIMIZE, **options)


def begin(target: Proposer, n: int) -> dict[str, Any]:
    proposal = target.propose(n)
    target.observe(Ask(at=0.0, n=n, config={**proposal.config, "seed": 1}, origin=Origin.RANDOM))
    return proposal.config


def epoch(n: int, number: int, score: float) -> Epoch:
    return Epoch(
        at=0, n=n, attempt=1, epoch=number, score=score, metrics={}, seconds=0, memory_mb=None, checkpoint=None
    )


def end(n: int, state: State) -> End:
    return End(at=0.0, n=n, attempt=1, state=state, stop_reason="test")


@pytest.mark.parametrize("algorithm", ["tpe", "random"])
def test_conditions_hold(tmp_path: Path, algorithm: str) -> None:
    ledger = Simulation(tmp_path, trials=40, slots=4, algorithm=algorithm).run()
    for trial in ledger.history.trials.values():
        config = trial.ask.config
        assert ("momentum" in config) == (config["optimizer"] == "sgd")
        low, high = (0.01, 1.0) if config["optimizer"] == "sgd" else (0.0001, 0.01)
        assert low <= config["lr"] <= high
        assert list(config) == [name for name in (*CONDITIONAL.parameters, "seed") if name in config]


@pytest.mark.parametrize("algorithm", ["tpe", "random"])
def test_constraints_are_never_broken(algorithm: str) -> None:
    space = space_of(
        parameter("a", Real(0.0, 1.0)), parameter("b", Real(0.0, 1.0)), constraints=(parse("a + b < 0.3"),)
    )
    target = proposer(space, algorithm)
    for n in range(30):
        config = begin(target, n)
        assert config["a"] + config["b"] < 0.3
        target.observe(epoch(n, 1, config["a"]))
        target.observe(end(n, State.COMPLETED))


def test_a_constraint_that_nothing_keeps_is_one_sentence() -> None:
    space = space_of(parameter("a", Real(0.0, 1.0)), constraints=(parse("a > 2"),))
    with pytest.raises(UsageError, match="no configuration that keeps 'require'"):
        proposer(space).propose(0)


@pytest.mark.parametrize("algorithm", ["tpe", "random"])
def test_a_finite_space_is_used_up_without_repeats(algorithm: str) -> None:
    space = space_of(
        parameter("a", Listed(("x", "y", "z"))),
        parameter("b", (Integer(1, 4), {"a": ("x", "y")})),
        constraints=(parse("not (a == 'x' and b == 2)"),),
    )
    target = proposer(space, algorithm)
    seen = []
    while not target.exhausted:
        n = len(seen)
        seen.append(begin(target, n))
        target.observe(epoch(n, 1, float(n)))
        target.observe(end(n, State.COMPLETED))
    assert len(seen) == 8
    assert all(config not in seen[:n] for n, config in enumerate(seen))


def test_listed_values_of_any_kind_come_back_as_they_were() -> None:
    values = ([10, 20], [30], None, True, 0.5, "off")
    target = proposer(space_of(parameter("milestones", Listed(values))))
    seen = [begin(target, n)["milestones"] for n in range(6)]
    assert sorted(map(repr, seen)) == sorted(map(repr, values))


def test_optuna_hears_the_truth() -> None:
    target = proposer(CONDITIONAL)
    for n in range(6):
        begin(target, n)
    target.observe(end(0, State.DIVERGED))  # before any score is known
    target.observe(epoch(1, 1, 0.4))
    target.observe(epoch(1, 2, 0.8))
    target.observe(epoch(1, 3, 0.6))
    target.observe(end(1, State.COMPLETED))
    target.observe(epoch(2, 3, 0.3))
    target.observe(Rung(at=0.0, n=2, attempt=1, epoch=3, value=0.3, decision=Decision.STOP))
    target.observe(end(2, State.STOPPED))
    target.observe(end(3, State.OUT_OF_MEMORY))
    target.observe(end(4, State.FAILED))
    sampler = target.sampler
    assert isinstance(sampler, Tpe)
    told = [sampler.study.get_trials()[sampler.numbers[n]] for n in range(6)]
    assert [trial.state for trial in told] == [
        TrialState.COMPLETE,
        TrialState.COMPLETE,
        TrialState.PRUNED,
        TrialState.COMPLETE,
        TrialState.FAIL,
        TrialState.RUNNING,
    ]
    assert told[0].value == 0.4  # the worst score when the first was known
    assert told[1].value == 0.8  # its best epoch, not its last
    assert told[2].intermediate_values == {3: 0.3}
    assert told[3].value == 0.3  # the worst score so far


def test_optuna_hears_the_truth_about_several_metrics() -> None:
    further = (Metric("train_seconds", Goal.MINIMIZE), Metric("size", Goal.MINIMIZE))
    target = proposer(CONDITIONAL, further=further)
    for n in range(4):
        begin(target, n)
    for number, (score, size, seconds) in enumerate([(0.4, 50.0, 2.0), (0.8, 30.0, 3.0), (0.6, 20.0, 4.0)], start=1):
        target.observe(replace(epoch(0, number, score), metrics={"size": size}, seconds=seconds))
    target.observe(end(0, State.COMPLETED))
    target.observe(replace(epoch(1, 3, 0.3), metrics={"size": 10.0}, seconds=99.0))
    target.observe(Rung(at=0.0, n=1, attempt=1, epoch=3, value=0.3, decision=Decision.STOP))
    target.observe(end(1, State.STOPPED))
    target.observe(end(2, State.DIVERGED))
    target.observe(end(3, State.FAILED))
    sampler = target.sampler
    assert isinstance(sampler, Tpe)
    told = [sampler.study.get_trials()[sampler.numbers[n]] for n in range(4)]
    assert told[0].values == [0.8, 9.0, 30.0]  # its best epoch's, and all its seconds
    assert (told[1].state, told[1].values, told[1].constraints) == (TrialState.PRUNED, None, {"stopped": 1 / 3})
    assert told[2].values == [0.3, 99.0, 50.0]  # the worst of each so far
    assert told[3].state is TrialState.FAIL
    assert CONDITIONAL.allows(target.propose(4).config)


def test_a_stopped_trial_is_no_good_example_of_several_metrics() -> None:
    """All that completed lie below 0.2, all that were stopped, many more, above 0.8, the better the higher."""
    target = proposer(space_of(parameter("a", Real(0.0, 1.0))), further=(Metric("size", Goal.MINIMIZE),))
    for n in range(60):
        place = (n % 12) / 60 if n % 12 == 0 else 0.8 + n / 300
        target.observe(Ask(at=0.0, n=n, config={"a": place, "seed": 1}, origin=Origin.RANDOM))
        target.observe(replace(epoch(n, 3, place), metrics={"size": 1 - place}))
        if n % 12 == 0:
            target.observe(end(n, State.COMPLETED))
        else:
            target.observe(Rung(at=0.0, n=n, attempt=1, epoch=3, value=place, decision=Decision.STOP))
            target.observe(end(n, State.STOPPED))
    assert sum(target.propose(n).config["a"] < 0.5 for n in range(60, 80)) > 15


def test_a_point_that_ran_already_is_replaced_and_not_called_a_point() -> None:
    space = space_of(parameter("a", Listed(("x", "y"))))
    target = proposer(space, points=({"a": "x"}, {"a": "x"}))
    assert target.propose(0).origin is Origin.POINT
    begin(target, 0)
    second = target.propose(1)
    assert (second.config, second.origin) == ({"a": "y"}, Origin.RANDOM)


def test_seeds_differ_by_number_and_by_search() -> None:
    seeds = {derived_seed(search, n) for search in range(20) for n in range(50)}
    assert len(seeds) == 1000
    assert all(0 <= seed < 2**31 for seed in seeds)


@pytest.mark.parametrize("algorithm", ["nsga2", "random"])
def test_no_configuration_of_an_endless_space_is_proposed_twice_but_those_given_twice(
    tmp_path: Path, algorithm: str
) -> None:
    settings = {"population_size": 4, "mutation_prob": 0.01, "crossover_prob": 0.0} if algorithm == "nsga2" else None
    space = space_of(
        parameter("optimizer", Constant("adamw")), parameter("depth", Integer(1, 2)), parameter("lr", Real(0, 1))
    )
    given = {"depth": 1, "lr": 0.5}
    ledger = Simulation(
        tmp_path,
        space=space,
        trials=30,
        algorithm=algorithm,
        settings=settings,
        scheduler="none",
        points=(given, given),
    ).run()
    configs = [(trial.ask.config["depth"], trial.ask.config["lr"]) for trial in ledger.history.trials.values()]
    assert configs[:2] == [(1, 0.5), (1, 0.5)]
    assert len(set(configs)) == 29


def test_where_constraints_leave_a_few_of_an_endless_space_they_run_again(tmp_path: Path) -> None:
    adamw = parse("optimizer == 'adamw'")
    optimizer, lr = parameter("optimizer", Listed(("sgd", "adamw"))), (Real(0.0, 1.0), {"optimizer": ("sgd",)})
    space = space_of(optimizer, parameter("depth", Integer(1, 2)), parameter("lr", lr), constraints=(adamw,))
    target = proposer(space)
    configs = [begin(target, n) for n in range(3)]
    assert configs[0] != configs[1] and configs[2] in configs[:2]
