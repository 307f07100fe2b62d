"""What several seeds say together: mean, standard deviation and a confidence interval of each score."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from scipy.special import stdtrit

CONFIDENCE = 0.95

#: The scores that are averaged over seeds, by their names in ``tuner.training.scores.Scores``.
AVERAGED = ("accuracy", "macro_precision", "macro_recall", "macro_f1", "calibration_error", "loss", "rmse")


def summary(scores: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Return for each averaged score its ``mean``, its ``std``, and ``low`` and ``high``, the ends of an interval.

    The interval is Student's for the mean: mean +- t(0.975, n - 1) std / sqrt(n). With one seed it and the deviation
    are None.

    Args:
        scores: One mapping for each seed; none gives an empty summary.
    """
    return {name: _of([float(one[name]) for one in scores]) for name in AVERAGED} if scores else {}


def _of(values: Sequence[float]) -> dict[str, float | None]:
    count, centre = len(values), mean(values)
    if count == 1:
        return {"mean": centre, "std": None, "low": None, "high": None}
    deviation = stdev(values)
    half = float(stdtrit(count - 1, (1 + CONFIDENCE) / 2)) * deviation / math.sqrt(count)
    return {"mean": centre, "std": deviation, "low": centre - half, "high": centre + half}
