"""The rows of the epochs, as a pure function of what the log says happened."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from tuner.facts.records import EPOCH_COLUMNS, METRIC_PREFIX, REPORT_NAMES
from tuner.journal.history import History
from tuner.journal.reports import FIXED, Reports
from tuner.leaderboard.info import SearchInfo
from tuner.leaderboard.row import MICROSECONDS
from tuner.leaderboard.rows import further_metrics
from tuner.leaderboard.schema import FORMAT_VERSION, arrow_schema, epoch_columns


def epochs_table(history: History, info: SearchInfo) -> Any:
    """Return every report that counts as an Arrow table, sorted by number of the trial and epoch."""
    return pa.concat_tables(epochs_tables(history, info, len(history.trials)))


def epochs_tables(history: History, info: SearchInfo, trials: int) -> Iterator[Any]:
    """Yield the same in parts, at least one: of a long search the whole would take as much memory as all it knows.

    Args:
        history: What happened.
        info: The search.
        trials: How many of them a part holds.
    """
    packed = sorted((trial.packed for trial in history.trials.values()), key=lambda reports: reports.n)
    columns = epoch_columns(further_metrics(packed, info, EPOCH_COLUMNS))
    schema = arrow_schema(columns, {"version": FORMAT_VERSION, **info.to_json()})
    for start in range(0, max(1, len(packed)), max(1, trials)):
        alike: dict[tuple[str, ...], list[Reports]] = defaultdict(list)
        for reports in packed[start : start + trials]:
            alike[reports.frame.names].append(reports)
        tables = [_table(names, group, info, schema) for names, group in alike.items()]
        table = pa.concat_tables([schema.empty_table(), *tables])
        yield table.sort_by([("number", "ascending"), ("epoch", "ascending")])


def _table(names: Sequence[str], group: Sequence[Reports], info: SearchInfo, schema: Any) -> Any:
    """Return the reports of trials that reported the same numbers.

    Column by column: a long search has hundreds of thousands of reports, and its driver writes them again and again.
    """
    values = np.concatenate([reports.numbers for reports in group]).reshape(-1, len(FIXED) + len(names)).T
    at, scores, seconds, _ = values[: len(FIXED)]
    metrics = dict(zip(names, values[len(FIXED) :], strict=True))
    nothing = np.full(len(at), np.nan)
    step_seconds = metrics.get("epoch_seconds", nothing)
    counts = [len(reports) for reports in group]
    special: dict[str, Any] = {
        info.metric if info.metric in REPORT_NAMES else METRIC_PREFIX + info.metric: scores,
        "search": [info.name] * len(at),
        "trial_id": np.repeat(np.array([f"{info.name}-{reports.n}" for reports in group], dtype=object), counts),
        "number": np.repeat([reports.n for reports in group], counts),
        "epoch": list(chain.from_iterable(reports.frame.epochs for reports in group)),
        "attempt": list(chain.from_iterable(reports.frame.attempts for reports in group)),
        "score": scores,
        "epoch_seconds": np.where(np.isnan(step_seconds) | (step_seconds == 0), seconds, step_seconds),
        "reported_at": np.rint(at * MICROSECONDS).astype(np.int64),
    }

    def array(field: Any) -> Any:
        name = field.name
        found = special[name] if name in special else metrics.get(name.removeprefix(METRIC_PREFIX), nothing)
        return pa.array(found, field.type, from_pandas=True)

    return pa.table([array(field) for field in schema], schema=schema)
