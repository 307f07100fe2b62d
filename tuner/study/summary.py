"""What several seeds say together: mean, standard deviation and a confidence interval of each score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from tuner.study.paired import mean_interval

#: The scores that are averaged over seeds, by their names in ``tuner.training.scores.Scores``.
AVERAGED = ("accuracy", "macro_precision", "macro_recall", "macro_f1", "calibration_error", "loss", "rmse")


def summary(scores: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Return for each averaged score its ``mean``, its ``std``, and ``low`` and ``high``, the ends of an interval.

    The interval is Student's for the mean, at 95 %. With one seed it and the deviation are None.

    Args:
        scores: One mapping for each seed; none gives an empty summary.
    """
    return {name: _of([float(one[name]) for one in scores]) for name in AVERAGED} if scores else {}


def _of(values: Sequence[float]) -> dict[str, float | None]:
    if len(values) == 1:
        return {"mean": values[0], "std": None, "low": None, "high": None}
    low, high = mean_interval(values)
    return {"mean": mean(values), "std": stdev(values), "low": low, "high": high}
