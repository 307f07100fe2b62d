"""The rows of the leaderboard and of its epochs, as pure functions of what the log says happened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from tuner.facts.records import EPOCH_COLUMNS, LEADERBOARD_COLUMNS, METRIC_PREFIX, REPORT_NAMES, Column, Goal, State
from tuner.journal.history import History, Trial
from tuner.leaderboard.info import SearchInfo
from tuner.leaderboard.row import row_of, timestamp
from tuner.leaderboard.schema import FORMAT_VERSION, arrow_schema, epoch_columns, leaderboard_columns


class EndedRows:
    """What was made of trials that have ended, for a driver that makes both tables again and again.

    It never changes again, and at ten thousand trials to make it anew would cost the driver a second each time.
    One for one search.
    """

    def __init__(self) -> None:
        self.rows: dict[int, dict[str, Any]] = {}
        self.metrics: dict[int, frozenset[str]] = {}
        self.reported: set[int] = set()  # the numbers whose reports are in ``reports``
        self.reports: Any = None


def leaderboard_table(
    history: History,
    info: SearchInfo,
    *,
    live: bool,
    kept: Mapping[int, str] = MappingProxyType({}),
    log_bytes: int = 0,
    ended: EndedRows | None = None,
) -> Any:
    """Return the leaderboard as an Arrow table, sorted: ranked trials, stopped ones by score, others by number.

    Args:
        history: What happened.
        info: The search.
        live: Whether a driver is at work; without one, trials that have not ended are ``interrupted``.
        kept: Number of each ended trial whose checkpoint is kept, to its folder relative to the search's.
        log_bytes: Size of the log that ``history`` was read from.
        ended: What the last call of the same driver left.
    """
    ended = EndedRows() if ended is None else ended
    further = _further_metrics(history, info, LEADERBOARD_COLUMNS, ended)
    rows = []
    for trial in history.trials.values():
        if trial.end is None:
            rows.append(row_of(trial, history, info, live=live))
            continue
        if trial.number not in ended.rows:
            ended.rows[trial.number] = row_of(trial, history, info, live=live)
        rows.append({**ended.rows[trial.number], "checkpoint": kept.get(trial.number)})
    rows = _ranked(rows, info.goal)
    description = {"version": FORMAT_VERSION, **info.to_json(), "live": live, "log_bytes": log_bytes}
    columns = leaderboard_columns(info, further)
    values = {column.name: [row.get(column.name) for row in rows] for column in columns}
    return pa.table(values, schema=arrow_schema(columns, description))


def epochs_table(history: History, info: SearchInfo, ended: EndedRows | None = None) -> Any:
    """Return every report that counts as an Arrow table, sorted by number of the trial and epoch."""
    ended = EndedRows() if ended is None else ended
    columns = epoch_columns(_further_metrics(history, info, EPOCH_COLUMNS, ended))
    schema = arrow_schema(columns, {"version": FORMAT_VERSION, **info.to_json()})
    if ended.reports is None or ended.reports.schema != schema:  # a trial reported a number that none had before
        ended.reported, ended.reports = set(), schema.empty_table()
    trials = history.trials.values()
    new = [trial for trial in trials if trial.end is not None and trial.number not in ended.reported]
    ended.reported.update(trial.number for trial in new)
    ended.reports = pa.concat_tables([ended.reports, _reports(new, info, schema)]).combine_chunks()
    table = pa.concat_tables([ended.reports, _reports([trial for trial in trials if trial.end is None], info, schema)])
    return table.sort_by([("number", "ascending"), ("epoch", "ascending")])


def _reports(trials: Iterable[Trial], info: SearchInfo, schema: Any) -> Any:
    """Return the reports of some trials, column by column, as a long search has hundreds of thousands of them."""
    reports = [report for trial in trials for report in trial.epochs.values()]
    scores = [item.score for item in reports]
    special: dict[str, list[Any]] = {
        info.metric if info.metric in REPORT_NAMES else METRIC_PREFIX + info.metric: scores,
        "search": [info.name] * len(reports),
        "trial_id": [f"{info.name}-{item.n}" for item in reports],
        "number": [item.n for item in reports],
        "epoch": [item.epoch for item in reports],
        "attempt": [item.attempt for item in reports],
        "score": scores,
        "epoch_seconds": [item.metrics.get("epoch_seconds") or item.seconds for item in reports],
        "reported_at": [timestamp(item.at) for item in reports],
    }

    def values(column: str) -> list[Any]:
        name = column.removeprefix(METRIC_PREFIX)
        return special[column] if column in special else [item.metrics.get(name) for item in reports]

    return pa.table([values(column) for column in schema.names], schema=schema)


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


def _further_metrics(history: History, info: SearchInfo, columns: Sequence[Column], ended: EndedRows) -> list[str]:
    """Return the numbers that need a column of their own: what is not the built-in trainable's, and the metric."""
    names: set[str] = set()
    for trial in history.trials.values():
        known = ended.metrics.get(trial.number)
        if known is None:
            known = frozenset(name for report in trial.epochs.values() for name in report.metrics)
            if trial.end is not None:
                ended.metrics[trial.number] = known
        names |= known
    further = names - set(REPORT_NAMES)
    if info.metric not in {column.name for column in columns}:
        further.add(info.metric)
    return sorted(further)
