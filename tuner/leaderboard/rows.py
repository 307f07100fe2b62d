"""The rows of the leaderboard, as a pure function of what the log says happened."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import reduce
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tuner.facts.records import (
    LEADERBOARD_COLUMNS,
    REPORT_NAMES,
    SUMMED_UP,
    Column,
    Goal,
    State,
)
from tuner.journal.history import History, Trial
from tuner.journal.pareto import pareto_ranks
from tuner.journal.reports import Reports
from tuner.leaderboard.info import SearchInfo
from tuner.leaderboard.row import row_of
from tuner.leaderboard.schema import FORMAT_VERSION, arrow_schema, column_of, leaderboard_columns


class EndedRows:
    """The rows of trials that have ended, for a driver that makes the leaderboard of a search again and again.

    They never change again, and at ten thousand trials to make them anew would cost the driver a second each time.
    """

    def __init__(self) -> None:
        self._numbers: set[int] = set()
        self._rows: Any = None

    def with_others(self, trials: Collection[Trial], schema: Any, make: Callable[[Iterable[Trial]], Any]) -> Any:
        """Return the rows of all trials, which ``make`` makes; those of trials that have not ended come last."""
        if self._rows is None or self._rows.schema != schema:  # a trial reported a number that none had before
            self._numbers, self._rows = set(), schema.empty_table()
        ended = [trial for trial in trials if trial.end is not None and trial.number not in self._numbers]
        self._numbers.update(trial.number for trial in ended)
        self._rows = pa.concat_tables([self._rows, make(ended)]).combine_chunks()
        return pa.concat_tables([self._rows, make(trial for trial in trials if trial.end is None)])


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
    description = {"version": FORMAT_VERSION, **info.to_json(), "live": live, "log_bytes": log_bytes}
    packed = (trial.packed for trial in history.trials.values())
    columns = leaderboard_columns(info, further_metrics(packed, info, LEADERBOARD_COLUMNS))
    schema = arrow_schema(columns, description)

    def rows(trials: Iterable[Trial]) -> Any:
        made = [row_of(trial, history, info, live=live) for trial in trials]
        return pa.table({name: [row.get(name) for row in made] for name in schema.names}, schema=schema)

    table = _ranked(ended.with_others(history.trials.values(), schema, rows), info.goal)
    return _with_kept(_with_fronts(table, info), kept).replace_schema_metadata(schema.metadata)


def _ranked(table: Any, goal: Goal) -> Any:
    """Return a leaderboard's rows in order, the completed ones ranked."""
    scored = pc.is_valid(table["score"])
    completed = pc.and_(pc.equal(table["state"], str(State.COMPLETED)), scored)
    stopped = pc.and_(pc.equal(table["state"], str(State.STOPPED)), scored)
    keys = {
        "place": pc.if_else(completed, pc.if_else(_shaky(table), 1, 0), pc.if_else(stopped, 2, 3)),
        "score": pc.if_else(pc.or_(completed, stopped), table["score"], None),
        "number": table["number"],
    }
    by_score = "descending" if goal is Goal.MAXIMIZE else "ascending"
    order = [("place", "ascending"), ("score", by_score), ("number", "ascending")]
    table = table.take(pc.sort_indices(pa.table(keys), sort_keys=order))
    ranked = pc.sum(completed).as_py() or 0
    ranks = [*range(1, ranked + 1), *[None] * (len(table) - ranked)]
    return _replaced(table, "rank", ranks)


def _shaky(table: Any) -> Any:
    """Return of each row whether a run of its configuration diverged; such trials come last, as in ``Ranking``."""
    diverged = pc.equal(table["state"], str(State.DIVERGED))
    return pc.is_in(table["config_hash"], table["config_hash"].filter(diverged))


def _with_fronts(table: Any, info: SearchInfo) -> Any:
    """Return a leaderboard whose ranked trials have the number of their Pareto front, if there are several metrics."""
    if not info.further:
        return table
    columns = [table["score"], *(table[column_of(metric.name)] for metric in info.further)]
    counts = reduce(pc.and_, (pc.is_valid(column) for column in columns), pc.is_valid(table["rank"]))
    values = np.column_stack([column.filter(counts).to_numpy() for column in columns])
    shaky = _shaky(table).filter(counts).to_numpy(zero_copy_only=False)
    fronts = np.zeros(len(values), dtype=np.int64)
    for last in (False, True):
        goals = [metric.goal for metric in info.metrics]
        fronts[shaky == last] = fronts.max(initial=0) + pareto_ranks(values[shaky == last], goals)
    ranks = iter(fronts.tolist())
    return _replaced(table, "pareto_rank", [next(ranks) if counted else None for counted in counts.to_pylist()])


def _with_kept(table: Any, kept: Mapping[int, str]) -> Any:
    """Return a leaderboard whose ended trials name the checkpoints that are kept."""
    rows = zip(*(table[name].to_pylist() for name in ("number", "state", "checkpoint")), strict=True)
    checkpoints = [kept.get(number) if State(state).finished else last for number, state, last in rows]
    return _replaced(table, "checkpoint", checkpoints)


def _replaced(table: Any, name: str, values: Sequence[Any]) -> Any:
    index = table.schema.get_field_index(name)
    field = table.schema.field(index)
    return table.set_column(index, field, pa.array(values, field.type))


def further_metrics(packed: Iterable[Reports], info: SearchInfo, columns: Sequence[Column]) -> list[str]:
    """Return the numbers that need a column of their own: what is not the built-in trainable's, and the metrics.

    Args:
        packed: The reports of each trial.
        info: The search.
        columns: The fixed ones.
    """
    names = set().union(*{reports.frame.names for reports in packed})
    further = names - set(REPORT_NAMES)
    metrics = {info.metric, *(metric.name for metric in info.further if metric.name not in SUMMED_UP)}
    return sorted(further | (metrics - {column.name for column in columns}))
