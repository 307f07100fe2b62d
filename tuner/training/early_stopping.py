"""When a trial ends itself, and which weights it keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from tuner.facts.records import Goal
from tuner.hyperparameters.stability import Stability

#: Each metric that a trial can watch, and which way is better.
GOALS: dict[str, Goal] = {"val_loss": Goal.MINIMIZE, "val_accuracy": Goal.MAXIMIZE}


class EarlyStopping:
    """Ends a trial after ``early_stop_patience`` consecutive epochs that are not better (Prechelt 1998).

    Better means below best - min_delta where the watched metric is minimized, above best + min_delta otherwise.
    """

    def __init__(self, settings: Stability) -> None:
        self._watched = settings.early_stop_metric
        self._goal = GOALS[self._watched]
        self._patience = settings.early_stop_patience
        delta = settings.early_stop_min_delta
        self._min_delta = delta if self._goal is Goal.MAXIMIZE else -delta
        self._best: float | None = None
        self._misses = 0

    @property
    def stopped(self) -> bool:
        """Whether the trial should end."""
        return self._patience is not None and self._misses >= self._patience

    def update(self, report: Mapping[str, float]) -> None:
        """Take note of an epoch's report, whose losses are finite: NaN is divergence, not a miss."""
        if self._patience is None:
            return
        value = report[self._watched]
        if self._best is None or self._goal.better(value, self._best + self._min_delta):
            self._best, self._misses = value, 0
        else:
            self._misses += 1

    def state_dict(self) -> dict[str, Any]:
        """Return its counters."""
        return {"best": self._best, "misses": self._misses}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where ``state_dict`` was taken."""
        self._best, self._misses = state["best"], state["misses"]


class BestWeights:
    """The weights of the epoch with the best metric, the first of equals, kept off the device.

    Where nothing is held out to choose by, the last epoch is the best.
    """

    def __init__(self, goal: Goal) -> None:
        self._goal = goal
        self._score: float | None = None
        self._epoch = 0
        self._weights: dict[str, Tensor] = {}

    def update(self, epoch: int, score: float | None, model: nn.Module) -> None:
        """Copy the model's weights and buffers if this epoch is better than all before, or has no score."""
        if score is None or self._score is None or self._goal.better(score, self._score):
            self._score, self._epoch = score, epoch
            self._weights = {name: value.to("cpu", copy=True) for name, value in model.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        """Return score, epoch and weights."""
        return {"score": self._score, "epoch": self._epoch, "weights": self._weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where ``state_dict`` was taken."""
        self._score, self._epoch, self._weights = state["score"], state["epoch"], state["weights"]
