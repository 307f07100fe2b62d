"""What several seeds say together: mean, standard deviation and a confidence interval of each score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from tuner.study.paired import mean_interval

#: The scores that are averaged over seeds, by their names in ``tuner.training.scores.Scores``.
AVERAGED = ("accuracy", "macro_precision", "macro_recall", "macro_f1", "calibration_error", "loss", "rmse")


def summary(scores: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Return what ``summarized`` says of each averaged score.

    Args:
        scores: One mapping for each seed; none gives an empty summary.
    """
    return {name: summarized([float(one[name]) for one in scores]) for name in AVERAGED} if scores else {}


def summarized(values: Sequence[float | None]) -> dict[str, float | None]:
    """Return ``mean`` and ``std`` of the values that are there, and ``low`` and ``high``, the ends of an interval.

    The interval is Student's for the mean, at 95 %. With one value it and the deviation are None.
    """
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return {"mean": known[0] if known else None, "std": None, "low": None, "high": None}
    low, high = mean_interval(known)
    return {"mean": mean(known), "std": stdev(known), "low": low, "high": high}
