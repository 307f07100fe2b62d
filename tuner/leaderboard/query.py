"""The best rows of a leaderboard, read without reading all of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tuner.facts.records import METRIC_PREFIX, Goal
from tuner.leaderboard.info import SearchInfo
from tuner.leaderboard.source import Source
from tuner.leaderboard.where import compile_where, parse_where, unknown_column

_POSITION = "#position"  # no column bears it: a name that conditions could not read
_LARGER_IS_BETTER = frozenset({"val_accuracy", "train_accuracy"})


@dataclass(frozen=True)
class Rows:
    """Some rows of a leaderboard.

    Attributes:
        table: The rows as an Arrow table.
        matching: How many rows the condition holds for, shown or not.
    """

    table: Any
    matching: int


def top(
    source: Source, k: int, *, where: str | None = None, sort: str | None = None, descending: bool | None = None
) -> Rows:
    """Return the first rows of a leaderboard.

    Only the columns that ``where`` and ``sort`` need are read as a whole, then the row groups that hold the result.

    Args:
        source: The leaderboard.
        k: How many rows; 0 for all.
        where: A condition in the language of ``require``.
        sort: A column; None keeps the leaderboard's order, the best first. Missing values come last.
        descending: Largest first; None takes the better end of the column first, and the smallest where neither end
            is better.

    Raises:
        UsageError: An unknown column or a condition that cannot be read.
        ResultsDamagedError: The file is not what was written.
    """
    positions = _positions(source, where, sort, descending)
    if positions is None:
        total = source.file.metadata.num_rows
        return Rows(_rows_at(source, np.arange(min(k, total) if k else total)), total)
    return Rows(_rows_at(source, positions[:k] if k else positions), len(positions))


def _positions(source: Source, where: str | None, sort: str | None, descending: bool | None) -> Any:
    """Return the positions of all matching rows in the order asked for; None for every row as it stands."""
    schema = source.file.schema_arrow
    if sort is not None and sort not in schema.names:
        raise unknown_column(sort, schema.names)
    if where is None and sort is None:
        return None
    condition = None if where is None else parse_where(where)
    compiled = None if condition is None else compile_where(condition, schema)
    names = {"number", *(condition.names if condition else ()), *([sort] if sort else ())}
    table = source.read([name for name in schema.names if name in names])
    table = table.append_column(_POSITION, pa.array(np.arange(table.num_rows)))
    if compiled is not None:
        table = table.filter(compiled)
    if sort is not None:
        if descending is None:
            descending = sort in _larger_is_better(source.info)
        order = [(sort, "descending" if descending else "ascending")]
        table = table.take(pc.sort_indices(table, sort_keys=order))
    return table.column(_POSITION).to_numpy()


def _rows_at(source: Source, positions: Any) -> Any:
    """Return the rows at some positions, in that order, from the row groups that hold them."""
    metadata = source.file.metadata
    sizes = np.array([metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)], dtype=np.int64)
    starts = np.cumsum(sizes) - sizes
    group_of = np.searchsorted(starts, positions, side="right") - 1
    groups, place = np.unique(group_of, return_inverse=True)
    starts_read = np.cumsum(sizes[groups]) - sizes[groups]
    return source.read_groups(groups.tolist()).take(positions - starts[group_of] + starts_read[place])


def _larger_is_better(info: SearchInfo) -> frozenset[str]:
    larger = set(_LARGER_IS_BETTER) | ({"score"} if info.goal is Goal.MAXIMIZE else set())
    for metric in info.metrics:
        names = {metric.name, METRIC_PREFIX + metric.name}
        larger = larger | names if metric.goal is Goal.MAXIMIZE else larger - names
    return frozenset(larger)
