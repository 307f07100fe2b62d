"""Every sampler keeps the contract, and each does what one takes it for."""

from __future__ import annotations

import inspect
import itertools
import math
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest
from scipy.stats import qmc

from tests.search.sampler_contract import SamplerContract
from tests.search.simulation import CONDITIONAL, FINITE, Simulation, curve, parameter, space_of
from tuner.facts.records import Goal, Metric, Origin
from tuner.journal.events import Ask, End, Epoch, Rung
from tuner.journal.log import read_events
from tuner.search.proposer import Proposer
from tuner.search.samplers.registry import SAMPLERS
from tuner.space.algorithms import SAMPLERS as NAMES
from tuner.space.algorithms import defaults_of
from tuner.space.domains import Integer, Listed, Real
from tuner.space.space import Space


class TestTpe(SamplerContract):
    algorithm = "tpe"


class TestRandom(SamplerContract):
    algorithm = "random"


class TestCmaEs(SamplerContract):
    algorithm = "cmaes"
    several = False


class TestQmc(SamplerContract):
    algorithm = "qmc"


class TestHalton(SamplerContract):
    algorithm = "qmc"
    settings: ClassVar[dict[str, Any] | None] = {"qmc_type": "halton", "scramble": True}


class TestGrid(SamplerContract):
    algorithm = "grid"
    space = FINITE
    unit = Real(0.0, 1.0, step=0.1)


class TestNsga2(SamplerContract):
    algorithm = "nsga2"
    settings: ClassVar[dict[str, Any] | None] = {"population_size": 4, "mutation_prob": None, "crossover_prob": 0.9}
    trials = 40


@pytest.mark.slow  # a proposal takes a tenth of a second and more
class TestGp(SamplerContract):
    algorithm = "gp"
    settings: ClassVar[dict[str, Any] | None] = {"n_startup_trials": 4}
    trials = 11
    checked = 7


def test_the_registry_is_the_table_of_the_search_file() -> None:
    assert SAMPLERS.keys() == NAMES.keys()


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_takes_the_settings_that_apply_to_it(name: str) -> None:
    question, *settings = inspect.signature(SAMPLERS[name]).parameters
    assert question == "question"
    assert settings == list(defaults_of("search", name))


CUBE = space_of(*(parameter(name, Real(0.0, 1.0)) for name in "abcd"))
#: Where the bowl is lowest: off the middle, off the ends.
LOWEST = {"a": 0.2, "b": 0.7, "c": 0.35, "d": 0.8}


def bowl(config: dict[str, Any]) -> float:
    return sum((config[name] - place) ** 2 for name, place in LOWEST.items())


def minimized(algorithm: str, seed: int, trials: int, *, space: Space = CUBE, slots: int = 1, **settings: Any) -> float:
    """Return the lowest of ``bowl`` that a search found, ``slots`` trials side by side."""
    options = {**defaults_of("search", algorithm), **settings}
    target = Proposer(space, algorithm=algorithm, seed=seed, goal=Goal.MINIMIZE, options=options)
    values: list[float] = []
    for n in range(trials):
        proposal = target.propose(n)
        target.observe(Ask(at=0.0, n=n, config={**proposal.config, "seed": 1}, origin=proposal.origin))
        values.append(bowl(proposal.config))
        if n >= slots - 1:
            finish(target, n - slots + 1, values[n - slots + 1])
    return min(values)


def finish(target: Proposer, n: int, score: float, metrics: dict[str, float] | None = None) -> None:
    report: dict[str, Any] = {"metrics": metrics or {}, "seconds": 0.0, "memory_mb": None, "checkpoint": None}
    target.observe(Epoch(at=0.0, n=n, attempt=1, epoch=1, score=score, **report))
    target.observe(End(at=0.0, n=n, attempt=1, state="completed", stop_reason="budget"))  # type: ignore[arg-type]


def typical(algorithm: str, trials: int, seeds: int = 5, **settings: Any) -> float:
    """Return the median over seeds."""
    return statistics.median(minimized(algorithm, seed, trials, **settings) for seed in range(seeds))


def test_cmaes_comes_much_closer_than_random() -> None:
    assert typical("cmaes", 150) < typical("random", 150) / 20


LINE = space_of(*(parameter(name, Real(0.0, 1.0)) for name in "abc"))


def dominated(algorithm: str, seed: int, **settings: Any) -> float:
    """Return the area below (1, 1) that 80 trials dominate, of two metrics that pull ``a`` to different ends."""
    options = {**defaults_of("search", algorithm), **settings}
    size = Metric("size", Goal.MINIMIZE)
    target = Proposer(LINE, algorithm=algorithm, seed=seed, goal=Goal.MINIMIZE, further=(size,), options=options)
    front: list[tuple[float, float]] = []
    for n in range(80):
        proposal = target.propose(n)
        target.observe(Ask(at=0.0, n=n, config={**proposal.config, "seed": 1}, origin=proposal.origin))
        a, b, c = (proposal.config[name] for name in "abc")
        off = (b - 0.3) ** 2 + (c - 0.6) ** 2
        front.append(((a - 0.1) ** 2 + off, (a - 0.9) ** 2 + off))
        finish(target, n, front[-1][0], {"size": front[-1][1]})
    area, lowest = 0.0, 1.0
    for first, second in sorted(front):
        if first < 1 and second < lowest:
            area += (1 - first) * (lowest - second)
            lowest = second
    return area


@pytest.mark.parametrize(("algorithm", "settings"), [("tpe", {}), ("nsga2", {"population_size": 10})])
def test_a_sampler_of_several_metrics_finds_a_better_front_than_random(
    algorithm: str, settings: dict[str, Any]
) -> None:
    by_chance = max(dominated("random", seed) for seed in range(3))
    assert min(dominated(algorithm, seed, **settings) for seed in range(2)) > by_chance


def test_cmaes_learns_beside_running_trials() -> None:
    assert typical("cmaes", 150, slots=6) < typical("random", 150) / 10


def test_cmaes_is_told_which_way_is_better() -> None:
    def best(goal: Goal) -> float:
        target = Proposer(CUBE, algorithm="cmaes", seed=0, goal=goal)
        values = []
        for n in range(80):
            proposal = target.propose(n)
            target.observe(Ask(at=0.0, n=n, config={**proposal.config, "seed": 1}, origin=proposal.origin))
            values.append(bowl(proposal.config))
            finish(target, n, -values[-1] if goal is Goal.MAXIMIZE else values[-1])
        return min(values)

    assert best(Goal.MINIMIZE) == best(Goal.MAXIMIZE)


def test_cmaes_moves_steps_and_leaves_lists_to_tpe() -> None:
    space = space_of(
        parameter("a", Real(0.0, 1.0, step=0.05)),
        parameter("b", Real(0.0, 1.0)),
        parameter("c", Listed((0.05, 0.35, 0.65, 0.95))),
        parameter("d", Real(0.0, 1.0)),
    )
    assert typical("cmaes", 150, space=space) < typical("random", 150, space=space) / 10


def test_cmaes_begins_anew_where_it_has_converged(tmp_path: Path) -> None:
    space = space_of(parameter("a", Real(0.0, 1.0)), parameter("optimizer", Listed(("sgd",))))
    target = Proposer(space, algorithm="cmaes", seed=0, goal=Goal.MINIMIZE)
    drawn = []
    for n in range(900):
        proposal = target.propose(n)
        target.observe(Ask(at=0.0, n=n, config={**proposal.config, "seed": 1}, origin=proposal.origin))
        drawn.append(proposal.config["a"])
        finish(target, n, abs(drawn[-1] - 0.3))
    assert min(abs(value - 0.3) for value in drawn) < 1e-9
    assert max(abs(value - 0.3) for value in drawn[-400:]) > 0.01


@pytest.mark.parametrize("population", [4, 5, 20])
def test_cmaes_takes_a_population_size(population: int) -> None:
    assert minimized("cmaes", 0, 200, population_size=population) < 0.01


@pytest.mark.slow
def test_gp_comes_much_closer_than_random() -> None:
    assert typical("gp", 30, seeds=3) < typical("random", 30, seeds=3) / 10


def test_gp_keeps_away_from_running_trials() -> None:
    """Without them it would propose nearly the same point again."""
    target = Proposer(CUBE, algorithm="gp", seed=0, goal=Goal.MINIMIZE)
    for n in range(12):
        proposal = target.propose(n)
        target.observe(Ask(at=0.0, n=n, config={**proposal.config, "seed": 1}, origin=proposal.origin))
        finish(target, n, bowl(proposal.config))
    configs = []
    for n in range(12, 15):
        proposal = target.propose(n)
        assert proposal.origin is Origin.SAMPLER
        target.observe(Ask(at=0.0, n=n, config={**proposal.config, "seed": 1}, origin=proposal.origin))
        configs.append(proposal.config)
    for one, other in itertools.combinations(configs, 2):
        assert math.dist(list(one.values()), list(other.values())) > 0.02


@pytest.mark.parametrize(("algorithm", "loaded"), [("tpe", False), ("nsga2", False), ("gp", True)])
def test_only_gp_loads_torch(algorithm: str, loaded: bool) -> None:
    code = (
        "import sys\n"
        "from tests.search.test_samplers import minimized\n"
        f"minimized({algorithm!r}, 0, 12)\n"
        "sys.exit('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (int(loaded), "")


def test_nsga2_improves_over_its_first_generation() -> None:
    assert typical("nsga2", 200, population_size=20) < typical("random", 200) / 3


def points(algorithm: str, count: int, space: Space, seed: int = 0, **settings: Any) -> list[list[float]]:
    options = {**defaults_of("search", algorithm), **settings}
    target = Proposer(space, algorithm=algorithm, seed=seed, goal=Goal.MINIMIZE, options=options)
    return [list(target.propose(n).config.values()) for n in range(count)]


@pytest.mark.parametrize("kind", ["sobol", "halton"])
def test_qmc_covers_a_space_more_evenly_than_random(kind: str) -> None:
    for seed in range(3):
        even = qmc.discrepancy(points("qmc", 64, CUBE, seed, qmc_type=kind))
        assert even < qmc.discrepancy(points("random", 64, CUBE, seed)) / 2


def test_qmc_proposes_by_number_whatever_came_before(tmp_path: Path) -> None:
    Simulation(tmp_path, algorithm="qmc", trials=20, slots=4).run()
    for event in read_events(tmp_path):
        if isinstance(event, Ask):
            fresh = Proposer(CONDITIONAL, algorithm="qmc", seed=0, goal=Goal.MAXIMIZE)
            assert fresh.propose(event.n).config.items() <= event.config.items()


def test_qmc_gives_listed_values_and_alternatives_their_share(tmp_path: Path) -> None:
    ledger = Simulation(tmp_path, algorithm="qmc", trials=64, scheduler="none").run()
    configs = [trial.ask.config for trial in ledger.history.trials.values()]
    sgd = [config for config in configs if config["optimizer"] == "sgd"]
    assert len(sgd) == 32
    assert sum(config["lr"] < 0.1 for config in sgd) in range(12, 21)
    assert all(sum(config["depth"] == depth for config in configs) == 8 for depth in range(1, 9))


def test_qmc_without_scrambling_is_the_sequence_itself() -> None:
    plane = space_of(parameter("a", Real(0.0, 1.0)), parameter("b", Real(0.0, 1.0)))
    first = [[0.0, 0.0], [0.5, 0.5], [0.75, 0.25], [0.25, 0.75]]
    assert points("qmc", 4, plane, scramble=False) == first
    assert points("qmc", 4, plane, seed=7, scramble=False) == first


def test_grid_is_a_different_order_of_the_same_for_another_seed() -> None:
    plane = space_of(parameter("a", Integer(1, 6)), parameter("b", Listed(("x", "y", "z"))))

    def order(seed: int) -> list[tuple[int, str]]:
        target = Proposer(plane, algorithm="grid", seed=seed, goal=Goal.MINIMIZE)
        seen = []
        while not target.exhausted:
            proposal = target.propose(len(seen))
            target.observe(Ask(at=0.0, n=len(seen), config={**proposal.config, "seed": 1}, origin=proposal.origin))
            seen.append((proposal.config["a"], proposal.config["b"]))
            assert proposal.origin is Origin.SAMPLER
        return seen

    assert order(0) != order(1)
    assert sorted(order(0)) == sorted(order(1)) == sorted(itertools.product(range(1, 7), "xyz"))
    assert order(0) != sorted(order(0))


def test_a_search_over_a_grid_ends_with_its_last_configuration(tmp_path: Path) -> None:
    ledger = Simulation(tmp_path, algorithm="grid", trials=500, space=FINITE, slots=3, scheduler="none").run()
    assert len(ledger.history.trials) == 54
    assert ledger.exhausted and not ledger.all_proposed


def test_stopped_trials_count_for_cmaes(tmp_path: Path) -> None:
    """With a scheduler most trials are stopped: a sampler that did not hear of them would stand still."""
    ledger = Simulation(tmp_path, algorithm="cmaes", trials=150).run()
    assert sum(isinstance(event, Rung) for event in read_events(tmp_path)) > 150
    values = [curve(trial.ask.config, 9) for trial in ledger.history.trials.values()]
    early, late = ([value for value in part if not math.isnan(value)] for part in (values[:25], values[75:]))
    assert statistics.median(late) > statistics.median(early)
