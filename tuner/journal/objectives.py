"""The numbers of a trial that a search makes better: one place for the leaderboard and for what proposes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median

from tuner.facts.records import Metric
from tuner.journal.history import Trial


def train_seconds(trial: Trial) -> float:
    """Return the time inside the trial's epochs, summed over attempts."""
    return sum(report.seconds for report in trial.epochs.values())


def images_per_second(trial: Trial) -> float | None:
    """Return the median over epochs of what was reported."""
    speeds = _reported(trial, "images_per_second")
    return median(speeds) if speeds else None


def peak_memory_mb(trial: Trial) -> float | None:
    """Return the largest memory."""
    return max(_present(report.memory_mb for report in trial.epochs.values()), default=None)


def parameter_count(trial: Trial) -> float | None:
    """Return what was reported last."""
    counts = _reported(trial, "parameter_count")
    return counts[-1] if counts else None


#: The columns that sum up all epochs, by name; the names are those of ``tuner.facts.records.SUMMED_UP``.
SUMS: Mapping[str, Callable[[Trial], float | None]] = {
    "train_seconds": train_seconds,
    "images_per_second": images_per_second,
    "peak_memory_mb": peak_memory_mb,
    "parameter_count": parameter_count,
}


def objectives_of(trial: Trial, metrics: Sequence[Metric]) -> tuple[float, ...] | None:
    """Return a trial's value of each metric as it stands, or None where one is missing.

    The first is the best score. The others are sums over all epochs, or what the epoch of that score reported.
    """
    first, *others = metrics
    best = trial.best(first.goal)
    if best is None:
        return None
    values = [best.score]
    for metric in others:
        value = SUMS[metric.name](trial) if metric.name in SUMS else best.metrics.get(metric.name)
        if value is None:
            return None
        values.append(value)
    return tuple(values)


def _reported(trial: Trial, name: str) -> list[float]:
    """Return a number of all epochs that report it, in their order."""
    return _present(trial.epochs[epoch].metrics.get(name) for epoch in sorted(trial.epochs))


def _present(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]
