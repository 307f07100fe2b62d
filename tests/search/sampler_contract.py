"""What every sampler keeps, on spaces with conditions, through kills, beside running trials, and to the last value."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.search.simulation import CONDITIONAL, EPOCHS, FINITE, Killed, Simulation, parameter, space_of
from tuner.facts.records import Goal, Metric, Origin, State
from tuner.journal.events import Ask, End, Epoch
from tuner.journal.history import History
from tuner.journal.log import read_events
from tuner.search.proposer import Proposal, Proposer
from tuner.space.domains import Constant, Integer, Listed, Real
from tuner.space.expressions import parse
from tuner.space.space import Space


def asks(folder: Path) -> list[tuple[int, dict[str, object]]]:
    return [(event.n, event.config) for event in read_events(folder) if isinstance(event, Ask)]


class SamplerContract:
    """Inherited by a test class for each sampler.

    Attributes:
        algorithm: Its name.
        settings: Its settings, None for the defaults; such that it does more than draw at random in ``trials``.
        space: One with conditions that it can search.
        unit: Two numbers between 0 and 1, as it can search them.
        trials: How many trials searches have.
        checked: Every how manieth proposal is looked at again.
        several: Whether it can search by several metrics.
    """

    algorithm: ClassVar[str]
    settings: ClassVar[dict[str, Any] | None] = None
    space: ClassVar[Space] = CONDITIONAL
    unit: ClassVar[Real] = Real(0.0, 1.0)
    trials: ClassVar[int] = 30
    checked: ClassVar[int] = 3
    several: ClassVar[bool] = True

    def simulation(self, folder: Path, **options: Any) -> Simulation:
        options = {"trials": self.trials, "space": self.space, **options}
        return Simulation(folder, algorithm=self.algorithm, settings=self.settings, **options)

    def proposer(self, space: Space, **options: Any) -> Proposer:
        options = {"seed": 0, "goal": Goal.MAXIMIZE, **options}
        return Proposer(space, algorithm=self.algorithm, options=self.settings, **options)

    def begin(self, target: Proposer, n: int) -> dict[str, Any]:
        proposal = target.propose(n)
        target.observe(Ask(at=0.0, n=n, config={**proposal.config, "seed": 1}, origin=proposal.origin))
        return proposal.config

    def finish(self, target: Proposer, n: int, score: float, state: State = State.COMPLETED) -> None:
        report = {"metrics": {}, "seconds": 0.0, "memory_mb": None, "checkpoint": None}
        if state is State.COMPLETED:
            target.observe(Epoch(at=0.0, n=n, attempt=1, epoch=1, score=score, **report))
        target.observe(End(at=0.0, n=n, attempt=1, state=state, stop_reason="test"))

    def test_a_seed_is_a_search_and_another_seed_is_another(self, tmp_path: Path) -> None:
        for name, seed in (("a", 5), ("b", 5), ("c", 6)):
            (tmp_path / name).mkdir()
            self.simulation(tmp_path / name, seed=seed, trials=min(self.trials, 20)).run()
        assert asks(tmp_path / "a") == asks(tmp_path / "b")
        assert asks(tmp_path / "a") != asks(tmp_path / "c")

    @pytest.mark.parametrize("slots", [1, 8])
    def test_each_proposal_is_a_function_of_the_log_before_it(self, tmp_path: Path, slots: int) -> None:
        """With trials that are stopped and that diverge, and up to seven that run."""
        self.assert_function_of_the_log(tmp_path, slots=slots)

    def test_so_it_is_with_several_metrics(self, tmp_path: Path) -> None:
        """One of them is a sum over epochs, one is reported by each."""
        if self.several:
            seconds, size = Metric("train_seconds", Goal.MINIMIZE), Metric("size", Goal.MINIMIZE)
            self.assert_function_of_the_log(tmp_path, slots=4, further=(seconds, size))

    def assert_function_of_the_log(self, tmp_path: Path, *, slots: int, further: tuple[Metric, ...] = ()) -> None:
        self.simulation(tmp_path, slots=slots, further=further).run()
        events = read_events(tmp_path)
        ends = {event.state for event in events if isinstance(event, End)}
        assert {State.COMPLETED, State.STOPPED} <= ends
        for position, event in enumerate(events):
            if not isinstance(event, Ask) or (event.n + 1) % self.checked:
                continue
            fresh = self.proposer(self.space, further=further)
            for before in events[:position]:
                fresh.observe(before)
            assert fresh.propose(event.n) == Proposal(
                {name: value for name, value in event.config.items() if name != "seed"}, event.origin
            )

    def test_killed_and_resumed_it_is_the_same_search(self, tmp_path: Path) -> None:
        straight, broken = tmp_path / "straight", tmp_path / "broken"
        straight.mkdir()
        broken.mkdir()
        self.simulation(straight).run()
        chance = random.Random(1)
        kills = 0
        while True:
            try:
                self.simulation(broken).run(die_after=chance.randrange(3, 15))
                break
            except Killed:
                kills += 1
        assert kills >= 2
        assert asks(broken) == asks(straight)
        a, b = History(read_events(straight)), History(read_events(broken))
        assert [trial.state for trial in a.trials.values()] == [trial.state for trial in b.trials.values()]

    def test_conditions_hold(self, tmp_path: Path) -> None:
        ledger = self.simulation(tmp_path, slots=4).run()
        optimizers = set()
        for trial in ledger.history.trials.values():
            config = trial.ask.config
            optimizers.add(config["optimizer"])
            assert ("momentum" in config) == (config["optimizer"] == "sgd")
            low, high = (0.01, 1.0) if config["optimizer"] == "sgd" else (0.0001, 0.01)
            assert low <= config["lr"] <= high
            assert isinstance(config["depth"], int)
            assert config["epochs"] == EPOCHS
            assert list(config) == [name for name in (*self.space.parameters, "seed") if name in config]
        assert optimizers == {"sgd", "adamw"}

    def test_constraints_are_never_broken(self) -> None:
        space = space_of(parameter("a", self.unit), parameter("b", self.unit), constraints=(parse("a + b < 0.45"),))
        target = self.proposer(space)
        configs = []
        for n in range(min(self.trials, 25)):
            if target.exhausted:
                break
            configs.append(self.begin(target, n))
            self.finish(target, n, configs[-1]["a"])
        assert len(configs) >= 10
        assert all(config["a"] + config["b"] < 0.45 for config in configs)

    def test_a_finite_space_is_used_up_without_repeats(self) -> None:
        space = space_of(
            parameter("a", Listed(("x", "y", "z"))),
            parameter("b", (Integer(1, 4), {"a": ("x", "y")})),
            constraints=(parse("not (a == 'x' and b == 2)"),),
        )
        target = self.proposer(space)
        seen: list[dict[str, Any]] = []
        while not target.exhausted:
            seen.append(self.begin(target, len(seen)))
            if len(seen) % 3:
                self.finish(target, len(seen) - 1, float(len(seen)))
        assert len(seen) == 8
        assert all(config not in seen[:n] for n, config in enumerate(seen))

    def test_a_space_of_one_configuration(self) -> None:
        target = self.proposer(space_of(parameter("a", Listed(("x",))), parameter("b", Constant(3))))
        assert self.begin(target, 0) == {"a": "x", "b": 3}
        assert target.exhausted

    def test_values_of_any_kind_come_back_as_they_were(self) -> None:
        values = ([10, 20], [30], None, True, 0.5, "off")
        target = self.proposer(space_of(parameter("milestones", Listed(values))))
        seen = [self.begin(target, n)["milestones"] for n in range(6)]
        assert sorted(map(repr, seen)) == sorted(map(repr, values))

    def test_ranges_are_kept_to_their_steps_and_ends(self) -> None:
        space = space_of(
            parameter("width", Integer(8, 64, step=8)),
            parameter("units", Integer(1, 100, log=True)),
            parameter("rate", Real(0.1, 0.7, step=0.1)),
        )
        target = self.proposer(space)
        for n in range(min(self.trials, 25)):
            config = self.begin(target, n)
            for name, value in config.items():
                domain = space.parameters[name].alternatives[0].domain
                assert domain.contains(value) and type(value) is type(next(iter(domain)))
            self.finish(target, n, config["rate"])

    def test_trials_that_run_side_by_side_differ(self) -> None:
        target = self.proposer(self.space)
        configs = [self.begin(target, n) for n in range(12)]
        for n in range(12):
            self.finish(target, n, 0.1 * n)
        configs += [self.begin(target, n) for n in range(12, 20)]
        assert all(config not in configs[:n] for n, config in enumerate(configs))

    def test_points_come_first_and_what_they_leave_open_is_sampled(self, tmp_path: Path) -> None:
        points = ({"optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "depth": 2}, {"optimizer": "adamw"})
        ledger = self.simulation(tmp_path, points=points, trials=min(self.trials, 15)).run()
        first, second, *others = (trial.ask for trial in ledger.history.trials.values())
        assert {name: first.config[name] for name in points[0]} == points[0]
        assert second.config["optimizer"] == "adamw" and "momentum" not in second.config
        assert (first.origin, second.origin) == (Origin.POINT, Origin.POINT)
        assert all(ask.origin is not Origin.POINT for ask in others)

    def test_a_search_where_everything_diverges_goes_on(self) -> None:
        target = self.proposer(self.space)
        for n in range(min(self.trials, 16)):
            self.begin(target, n)
            self.finish(target, n, 0.0, (State.DIVERGED, State.OUT_OF_MEMORY, State.FAILED)[n % 3])
        self.begin(target, 90)
        self.finish(target, 90, 0.7)
        assert self.space.allows(target.propose(91).config)

    def test_a_repeated_configuration_is_not_proposed_for_a_point(self) -> None:
        target = self.proposer(space_of(parameter("a", Listed(("x", "y")))), points=({"a": "x"}, {"a": "x"}))
        assert target.propose(0).origin is Origin.POINT
        self.begin(target, 0)
        second = target.propose(1)
        assert second.config == {"a": "y"}
        assert second.origin is not Origin.POINT


__all__ = ["CONDITIONAL", "FINITE", "SamplerContract", "asks"]
