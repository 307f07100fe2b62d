"""What the runs of a comparison came to: scores, their mean, and differences in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tuner.facts.records import Goal, State
from tuner.journal.history import Trial
from tuner.study.comparison import Comparison, Configuration
from tuner.study.paired import Difference, Verdict, differences
from tuner.study.summary import summarized


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


def without_seed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration without its seed."""
    return {name: value for name, value in config.items() if name != "seed"}


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
    """Return a difference in words: ``val_accuracy +0.0123 on average, between +0.004 and +0.0206 (p 0.0031)``."""
    unscored = (
        f"; {item.unscored} of {len(item.trials)} runs of '{item.configuration.name}' ended without a score"
        for item in (row, base)
        if item.unscored
    )
    return _spelled(difference, metric) + "".join(unscored)


def _spelled(difference: Difference, metric: str) -> str:
    if difference.mean is None:
        return "no pair of runs has scores"
    said = f"{metric} {difference.mean:+.4g} on average"
    if difference.low is None or difference.high is None or difference.p_adjusted is None:
        why = "one pair of runs" if difference.pairs == 1 else "equal differences"
        return f"{said}, but {why} cannot show how much chance does"
    return f"{said}, between {difference.low:+.4g} and {difference.high:+.4g} (p {difference.p_adjusted:.2g})"


def _paired(row: Results, base: Results) -> list[float]:
    pairs = zip(row.scores, base.scores, strict=True)
    return [one - two for one, two in pairs if one is not None and two is not None]


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
