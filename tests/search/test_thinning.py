"""What a proposal of TPE costs is bounded: of a long search it learns from a part."""

from __future__ import annotations

import contextlib
import random
from typing import ClassVar

import pytest
from optuna.trial import TrialState

from tests.search.simulation import parameter, space_of
from tuner.facts.records import Goal, Origin
from tuner.search.samplers.sampler import Begun, Outcome, Question, Result
from tuner.search.samplers.tpe import Tpe
from tuner.space.domains import Real

SPACE = space_of(parameter("x", Real(0.0, 1.0)))
RANGE = Real(0.0, 1.0)


class Short(Tpe):
    bound: ClassVar[int] = 20


def told(count: int, goal: Goal = Goal.MAXIMIZE, running: int = 0) -> Tpe:
    """Return a sampler that was told ``count`` results; the value of each is its place, that of the best 1."""
    sampler = Short(Question(SPACE, 0, goal), n_startup_trials=5, n_ei_candidates=24)
    drawn = random.Random(0)
    for n in range(running):
        sampler.begin(Begun(n, Origin.RANDOM, {"x": (RANGE, 0.5)}))
    for n in range(running, running + count):
        x = drawn.random()
        sampler.begin(Begun(n, Origin.RANDOM, {"x": (RANGE, x)}))
        stopped = n % 3 > 0
        sampler.finish(Result(n, Outcome.STOPPED if stopped else Outcome.COMPLETED, x, epoch=1 if stopped else 0))
    return sampler


def results(sampler: Tpe) -> list[float]:
    """Return the places of the results that the study holds."""
    trials = sampler.study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))
    return [float(trial.params["x"]) for trial in trials]


def test_a_study_never_holds_twice_its_bound() -> None:
    for count in range(30, 130, 7):
        assert 20 <= len(results(told(count))) < 40


@pytest.mark.parametrize(("goal", "best"), [(Goal.MAXIMIZE, max), (Goal.MINIMIZE, min)])
def test_the_best_results_stay(goal: Goal, best: type[max]) -> None:
    whole, thinned = results(told(39, goal)), told(40, goal)
    completed = [trial.params["x"] for trial in thinned.study.get_trials(states=(TrialState.COMPLETE,))]
    assert len(results(thinned)) == 20
    assert best(completed) == best(whole[0::3])  # every third completed; the others rank below


def test_of_several_metrics_the_first_fronts_stay() -> None:
    sampler = Short(Question(SPACE, 0, Goal.MAXIMIZE, (Goal.MINIMIZE,)), n_startup_trials=5, n_ei_candidates=24)
    drawn = random.Random(0)
    on_the_front = []
    for n in range(200):
        x = drawn.random()
        sampler.begin(Begun(n, Origin.RANDOM, {"x": (RANGE, x)}))
        if n % 3 == 0:
            sampler.finish(Result(n, Outcome.STOPPED, 2.0, epoch=n % 2 + 1))
            continue
        best = n % 40 == 1  # none of these dominates another, and each all others
        on_the_front += [x] if best else []
        sampler.finish(Result(n, Outcome.COMPLETED, x + best, further=(x - best,)))
    assert 20 <= len(results(sampler)) < 40
    assert set(on_the_front) <= set(results(sampler)) and len(on_the_front) > 2
    assert sampler.study.get_trials(states=(TrialState.PRUNED,)), "what was stopped says where not to look"


def test_a_trial_that_runs_meanwhile_is_told_to_the_new_study() -> None:
    sampler = told(40, running=2)
    sampler.finish(Result(1, Outcome.COMPLETED, 5.0))
    assert sampler.study.best_value == 5.0
    assert len(sampler.study.get_trials(states=(TrialState.RUNNING,))) == 1


def test_equal_stories_give_equal_proposals() -> None:
    drawn = []
    for sampler in (told(75), told(75)):
        with contextlib.closing(sampler.draws(75)) as draws:
            drawn.append(next(draws)("x", RANGE))
    assert drawn[0] == drawn[1]
