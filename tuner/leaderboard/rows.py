"""The rows of the leaderboard and of its epochs, as pure functions of what the log says happened."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from tuner.facts.records import EPOCH_COLUMNS, LEADERBOARD_COLUMNS, METRIC_PREFIX, REPORT_NAMES, Column, Goal, State
from tuner.journal.events import Epoch
from tuner.journal.history import History, Trial
from tuner.leaderboard.info import SearchInfo
from tuner.leaderboard.schema import FORMAT_VERSION, arrow_schema, epoch_columns, leaderboard_columns

_UNSCORED = frozenset({State.DIVERGED, State.OUT_OF_MEMORY, State.FAILED})
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


def leaderboard_table(
    history: History,
    info: SearchInfo,
    *,
    live: bool,
    kept: Mapping[int, str] = MappingProxyType({}),
    log_bytes: int = 0,
) -> Any:
    """Return the leaderboard as an Arrow table, sorted: ranked trials, stopped ones by score, others by number.

    Args:
        history: What happened.
        info: The search.
        live: Whether a driver is at work; without one, trials that have not ended are ``interrupted``.
        kept: Number of each ended trial whose checkpoint is kept, to its folder relative to the search's.
        log_bytes: Size of the log that ``history`` was read from.
    """
    further = _further_metrics(history, info, LEADERBOARD_COLUMNS)
    rows = [_row(trial, history, info, live=live, further=further) for trial in history.trials.values()]
    for row in rows:
        if State(row["state"]).finished:
            row["checkpoint"] = kept.get(row["number"])
    rows = _ranked(rows, info.goal)
    description = {"version": FORMAT_VERSION, **info.to_json(), "live": live, "log_bytes": log_bytes}
    columns = leaderboard_columns(info, further)
    values = {column.name: [row.get(column.name) for row in rows] for column in columns}
    return pa.table(values, schema=arrow_schema(columns, description))


def epochs_table(history: History, info: SearchInfo) -> Any:
    """Return every report that counts as an Arrow table, sorted by number of the trial and epoch."""
    further = _further_metrics(history, info, EPOCH_COLUMNS)
    trials = sorted(history.trials.values(), key=lambda trial: trial.number)
    reports = [report for trial in trials for report in _in_order(trial)]
    # Column by column, as a long search has hundreds of thousands of reports.
    values: dict[str, list[Any]] = {name: [item.metrics.get(name) for item in reports] for name in REPORT_NAMES}
    values |= {METRIC_PREFIX + name: [item.metrics.get(name) for item in reports] for name in further}
    scores = [item.score for item in reports]
    values[info.metric if info.metric in REPORT_NAMES else METRIC_PREFIX + info.metric] = scores
    values |= {
        "search": [info.name] * len(reports),
        "trial_id": [f"{info.name}-{item.n}" for item in reports],
        "number": [item.n for item in reports],
        "epoch": [item.epoch for item in reports],
        "attempt": [item.attempt for item in reports],
        "score": scores,
        "epoch_seconds": [item.metrics.get("epoch_seconds") or item.seconds for item in reports],
        "reported_at": [_timestamp(item.at) for item in reports],
    }
    columns = epoch_columns(further)
    schema = arrow_schema(columns, {"version": FORMAT_VERSION, **info.to_json()})
    return pa.table([values[column.name] for column in columns], schema=schema)


def config_hash(config: Mapping[str, Any]) -> str:
    """Return 12 hexadecimal digits of the SHA-256 of a configuration's canonical JSON, its seed left out."""
    without_seed = {name: value for name, value in config.items() if name != "seed"}
    text = json.dumps(without_seed, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _row(trial: Trial, history: History, info: SearchInfo, *, live: bool, further: Iterable[str]) -> dict[str, Any]:
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
        **({} if state in _UNSCORED else _result(trial, info, further)),
        **_hyperparameters(trial, info),
    }


def _result(trial: Trial, info: SearchInfo, further: Iterable[str]) -> dict[str, Any]:
    best = trial.best(info.goal)
    if best is None:
        return {}
    reported = {**best.metrics, info.metric: best.score}
    values: dict[str, Any] = {name: reported.get(name) for name in _AT_BEST_EPOCH}
    values |= {METRIC_PREFIX + name: reported.get(name) for name in further}
    return {**values, "score": best.score, "best_epoch": best.epoch}


def _cost(trial: Trial) -> dict[str, Any]:
    reports = _in_order(trial)
    train_seconds = sum(report.seconds for report in reports)
    moments = [report.at for report in reports] + [rung.at for rung in trial.rungs] + [trial.ask.at]
    until = max(moments) if trial.end is None else trial.end.at
    speeds = _present(report.metrics.get("images_per_second") for report in reports)
    counts = _present(report.metrics.get("parameter_count") for report in reports)
    return {
        "epochs_run": len(reports),
        "train_seconds": train_seconds,
        "overhead_seconds": max(0.0, until - trial.ask.at - train_seconds),
        "images_per_second": median(speeds) if speeds else None,
        "peak_memory_mb": max(_present(report.memory_mb for report in reports), default=None),
        "parameter_count": int(counts[-1]) if counts else None,
        "finished_at": None if trial.end is None else _timestamp(trial.end.at),
    }


def _place(trial: Trial, history: History) -> dict[str, Any]:
    if not trial.starts:
        return {}
    first, last = trial.starts[0], trial.starts[-1]
    return {
        "node": f"node-{history.nodes[last.node]}",
        "device": last.device,
        "started_at": _timestamp(first.at),
    }


def _hyperparameters(trial: Trial, info: SearchInfo) -> dict[str, Any]:
    config = trial.ask.config
    dtypes = {"seed": "Int64", **info.hyperparameters}
    return {
        name: None if config.get(name) is None else _VALUE_AS[dtype](config[name]) for name, dtype in dtypes.items()
    }


def _ranked(rows: list[dict[str, Any]], goal: Goal) -> list[dict[str, Any]]:
    sign = -1.0 if goal is Goal.MAXIMIZE else 1.0

    def by_score(state: State) -> list[dict[str, Any]]:
        chosen = [row for row in rows if row["state"] == state and row.get("score") is not None]
        return sorted(chosen, key=lambda row: (sign * row["score"], row["number"]))

    completed, stopped = by_score(State.COMPLETED), by_score(State.STOPPED)
    for rank, row in enumerate(completed, start=1):
        row["rank"] = rank
    placed = {row["number"] for row in (*completed, *stopped)}
    others = sorted((row for row in rows if row["number"] not in placed), key=lambda row: row["number"])
    return [*completed, *stopped, *others]


def _further_metrics(history: History, info: SearchInfo, columns: Sequence[Column]) -> list[str]:
    """Return the numbers that need a column of their own: what is not the built-in trainable's, and the metric."""
    names = {name for trial in history.trials.values() for report in trial.epochs.values() for name in report.metrics}
    further = names - set(REPORT_NAMES)
    if info.metric not in {column.name for column in columns}:
        further.add(info.metric)
    return sorted(further)


def _last_checkpoint(trial: Trial) -> str | None:
    names = [report.checkpoint for report in _in_order(trial) if report.checkpoint is not None]
    return f"checkpoints/{trial.number}/{names[-1]}" if names else None


def _in_order(trial: Trial) -> list[Epoch]:
    return [trial.epochs[epoch] for epoch in sorted(trial.epochs)]


def _present(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _timestamp(seconds: float) -> int:
    return round(seconds * 1e6)
