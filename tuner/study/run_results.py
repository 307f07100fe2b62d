"""What the runs of a comparison came to: scores, their mean, and differences in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tuner.facts.records import Goal, State
from tuner.journal.history import Trial
from tuner.study.comparison import Comparison, Configuration
from tuner.study.paired import Difference, Verdict, differences
from tuner.study.summary import summarized

#: How many decimals a share has, for people.
DECIMALS = 4

_MOST_DECIMALS = 10

#: Scores that are closer, as a share of the larger one, differ by rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Results:
    """The runs of one configuration, in the order of the seeds; all of them have ended."""

    configuration: Configuration
    trials: Sequence[Trial]
    goal: Goal

    @property
    def scores(self) -> list[float | None]:
        """The metric of each run at its best epoch; None for a run that did not complete."""
        return [best_score(trial, self.goal) if _completed(trial) else None for trial in self.trials]

    @property
    def unscored(self) -> int:
        """How many runs did not complete."""
        return self.scores.count(None)

    def metric(self, name: str) -> list[float | None]:
        """Return another number of each run at its best epoch; None where it was not reported."""
        reports = [trial.best(self.goal) if _completed(trial) else None for trial in self.trials]
        return [None if report is None else report.metrics.get(name) for report in reports]

    def to_json(self) -> dict[str, Any]:
        """Return what a result file says of the configuration and its runs."""
        return {
            "name": self.configuration.name,
            "config": dict(self.configuration.config),
            "score": summarized(self.scores),
            "runs": [_run(trial, self.goal) for trial in self.trials],
        }


def results(comparison: Comparison) -> list[Results]:
    """Return the runs of each configuration of a finished comparison."""
    by_name = comparison.trials(comparison.history())
    found = []
    for configuration in comparison.configurations:
        trials = [trial for trial in by_name[configuration.name] if trial is not None]
        assert len(trials) == len(comparison.seeds), "a finished comparison has every run"
        found.append(Results(configuration, trials, comparison.file.metric.goal))
    return found


def best_score(trial: Trial, goal: Goal) -> float | None:
    """Return a trial's metric at its best epoch; None before any report."""
    report = trial.best(goal)
    return None if report is None else report.score


def judged(rows: Sequence[Results], base: Results) -> list[Difference]:
    """Judge how each of ``rows`` differs from ``base``, over the seeds for which both have a score.

    What ended without a score under some seed is never called the better one: the pairs that are left would flatter it.
    """
    found = differences([_paired(row, base) for row in rows], base.goal)
    return [_strict(difference, row, base) for difference, row in zip(found, rows, strict=True)]


def spelled_difference(difference: Difference, row: Results, base: Results, metric: str) -> str:
    """Return a difference in words: ``val_accuracy +0.0123 on average, between +0.0040 and +0.0206 (p 0.0031)``."""
    unscored = (
        f"; {item.unscored} of {len(item.trials)} runs of '{item.configuration.name}' ended without a score"
        for item in (row, base)
        if item.unscored
    )
    return _spelled(difference, metric, decimals_for(summarized(base.scores)["mean"])) + "".join(unscored)


def decimals_for(score: float | None) -> int:
    """Return with how many decimals scores and their differences are shown beside a score, of the default or the full.

    Four, as of a share; more where the score is so small that three of its digits would not be seen.
    """
    if not score:
        return DECIMALS
    return min(_MOST_DECIMALS, max(DECIMALS, 2 - math.floor(math.log10(abs(score)))))


def spelled_number(value: float | None, decimals: int = DECIMALS, sign: str = "") -> str:
    """Return a number, or a dash where there is none; ``sign`` is "+" for a difference, and nothing has none."""
    if value is None:
        return "-"
    rounded = round(value, decimals)
    return format(rounded, f"{sign}.{decimals}f") if rounded else format(0.0, f".{decimals}f")


def _spelled(difference: Difference, metric: str, decimals: int) -> str:
    if difference.mean is None:
        return "no pair of runs has scores"
    mean, low, high = (
        spelled_number(value, decimals, "+") for value in (difference.mean, difference.low, difference.high)
    )
    said = f"{metric} {mean} on average"
    if difference.low is None or difference.high is None or difference.p_adjusted is None:
        why = "one pair of runs" if difference.pairs == 1 else "equal differences"
        return f"{said}, but {why} cannot show how much chance does"
    return f"{said}, between {low} and {high} (p {difference.p_adjusted:.2g})"


def _paired(row: Results, base: Results) -> list[float]:
    pairs = zip(row.scores, base.scores, strict=True)
    return [_less(one, two) for one, two in pairs if one is not None and two is not None]


def _less(one: float, two: float) -> float:
    """Return ``one - two``; 0 where it comes from rounding alone, which would look like a small but sure difference."""
    return 0.0 if math.isclose(one, two, rel_tol=_ROUNDING) else one - two


def _strict(difference: Difference, row: Results, base: Results) -> Difference:
    flattered = {Verdict.BETTER: row, Verdict.WORSE: base}.get(difference.verdict)
    if flattered is not None and flattered.unscored:
        return replace(difference, verdict=Verdict.NOT_SHOWN)
    return difference


def _completed(trial: Trial) -> bool:
    return trial.state is State.COMPLETED


def _run(trial: Trial, goal: Goal) -> dict[str, Any]:
    assert trial.end is not None, "a finished comparison has ended runs"
    best = trial.best(goal) if _completed(trial) else None
    return {
        "seed": trial.ask.config["seed"],
        "state": str(trial.state),
        "error": trial.end.error,
        "score": None if best is None else best.score,
        "best_epoch": None if best is None else best.epoch,
        "epochs_run": trial.last_epoch,
        "metrics": None if best is None else best.metrics,
    }
