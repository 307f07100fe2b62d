"""One trial's row of the leaderboard, as a pure function of what the log says happened."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tuner.facts.configs import config_hash
from tuner.facts.records import METRIC_PREFIX, State
from tuner.journal.events import Epoch
from tuner.journal.history import History, Trial
from tuner.journal.objectives import SUMS, train_seconds
from tuner.leaderboard.info import SearchInfo

_UNSCORED = frozenset({State.DIVERGED, State.OUT_OF_MEMORY, State.FAILED})
#: Of a second: the unit of a timestamp column.
MICROSECONDS = 1e6
#: Columns of the leaderboard that hold a report's value at best_epoch under the report's own name.
_AT_BEST_EPOCH = ("val_accuracy", "val_loss", "train_accuracy", "train_loss", "generalization_gap")

#: Column type to what makes its value of a configuration's value.
_VALUE_AS: Mapping[str, Callable[[Any], Any]] = {
    "float64": float,
    "Int64": int,
    "boolean": bool,
    "string": str,
    "json": json.dumps,
}


def row_of(trial: Trial, history: History, info: SearchInfo, *, live: bool) -> dict[str, Any]:
    """Return what the leaderboard says about one trial, its rank apart; names without a column may be among it.

    ``checkpoint`` is the last one that was reported.
    """
    trial = replace(trial, epochs=dict(trial.epochs))  # each report is looked at several times
    state = trial.state if live or trial.end is not None else State.INTERRUPTED
    return {
        "search": info.name,
        "trial_id": f"{info.name}-{trial.number}",
        "number": trial.number,
        "state": str(state),
        "stop_reason": None if trial.end is None else trial.end.stop_reason,
        "error": None if trial.end is None else trial.end.error,
        "origin": str(trial.ask.origin),
        "attempts": trial.attempt,
        "checkpoint": _last_checkpoint(trial),
        "config_hash": config_hash(trial.ask.config),
        **_cost(trial),
        **_place(trial, history),
        **({} if state in _UNSCORED else _result(trial, info)),
        **_hyperparameters(trial, info),
    }


def _result(trial: Trial, info: SearchInfo) -> dict[str, Any]:
    best = trial.best(info.goal)
    if best is None:
        return {}
    reported = {**best.metrics, info.metric: best.score}
    values: dict[str, Any] = {name: reported.get(name) for name in _AT_BEST_EPOCH}
    values |= {METRIC_PREFIX + name: value for name, value in reported.items()}
    return {**values, "score": best.score, "best_epoch": best.epoch}


def _cost(trial: Trial) -> dict[str, Any]:
    sums = {name: sum_up(trial) for name, sum_up in SUMS.items()}
    moments = [report.at for report in trial.epochs.values()] + [rung.at for rung in trial.rungs] + [trial.ask.at]
    until = max(moments) if trial.end is None else trial.end.at
    count = sums["parameter_count"]
    return {
        **sums,
        "epochs_run": len(trial.epochs),
        "overhead_seconds": max(0.0, until - trial.ask.at - train_seconds(trial)),
        "parameter_count": None if count is None else int(count),
        "finished_at": None if trial.end is None else timestamp(trial.end.at),
    }


def _place(trial: Trial, history: History) -> dict[str, Any]:
    if not trial.starts:
        return {}
    first, last = trial.starts[0], trial.starts[-1]
    return {
        "node": f"node-{history.nodes[last.node]}",
        "device": last.device,
        "started_at": timestamp(first.at),
    }


def _hyperparameters(trial: Trial, info: SearchInfo) -> dict[str, Any]:
    config = trial.ask.config
    dtypes = {"seed": "Int64", **info.hyperparameters}
    return {
        name: None if config.get(name) is None else _VALUE_AS[dtype](config[name]) for name, dtype in dtypes.items()
    }


def _last_checkpoint(trial: Trial) -> str | None:
    names = [report.checkpoint for report in _in_order(trial) if report.checkpoint is not None]
    return f"checkpoints/{trial.number}/{names[-1]}" if names else None


def _in_order(trial: Trial) -> list[Epoch]:
    return [trial.epochs[epoch] for epoch in sorted(trial.epochs)]


def timestamp(seconds: float) -> int:
    """Return seconds since the epoch in the unit of a timestamp column."""
    return round(seconds * MICROSECONDS)
