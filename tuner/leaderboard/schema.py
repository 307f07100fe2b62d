"""The columns of a leaderboard and their Arrow form, so that pandas types, units and meanings survive in the file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from tuner.facts.records import EPOCH_COLUMNS, LEADERBOARD_COLUMNS, METRIC_PREFIX, Column
from tuner.leaderboard.info import SearchInfo

#: Version of the files' layout; a reader refuses a later one.
FORMAT_VERSION = 1

#: Key of the schema metadata under which the search is described, as JSON.
METADATA_KEY = b"tuner"

#: A column's type to that of Arrow.
ARROW_TYPES: Mapping[str, Any] = {
    "string": pa.string(),
    "json": pa.string(),
    "Int64": pa.int64(),
    "float64": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
_PANDAS_TYPES: Mapping[str, str] = {"timestamp": "datetime64[us, UTC]", "json": "string"}


def leaderboard_columns(info: SearchInfo, metrics: Iterable[str]) -> tuple[Column, ...]:
    """Return the columns of leaderboard.parquet: the fixed ones, further metrics, hyperparameters.

    Args:
        info: The search.
        metrics: Names of all numbers that its trials report.
    """
    names = {column.name for column in LEADERBOARD_COLUMNS}
    hyperparameters = tuple(
        Column(name, dtype, "Hyperparameter; null where it is inactive.")
        for name, dtype in info.hyperparameters.items()
        if name not in names
    )
    return (*LEADERBOARD_COLUMNS, *_further(metrics, "Value at best_epoch."), *hyperparameters)


def column_of(metric: str) -> str:
    """Return the column of leaderboard.parquet that holds a metric."""
    return metric if metric in {column.name for column in LEADERBOARD_COLUMNS} else METRIC_PREFIX + metric


def epoch_columns(metrics: Iterable[str]) -> tuple[Column, ...]:
    """Return the columns of epochs.parquet: the fixed ones and further metrics."""
    return (*EPOCH_COLUMNS, *_further(metrics, "Value at this epoch."))


def _further(metrics: Iterable[str], meaning: str) -> tuple[Column, ...]:
    return tuple(Column(METRIC_PREFIX + name, "float64", meaning) for name in sorted(metrics))


def arrow_schema(columns: Sequence[Column], description: Mapping[str, Any]) -> Any:
    """Return the Arrow schema of a file: types, units and meanings by field, the search in the schema's metadata.

    Args:
        columns: The file's columns.
        description: JSON object for the metadata key ``tuner``.
    """
    empty = pd.DataFrame(
        {column.name: pd.Series([], dtype=_PANDAS_TYPES.get(column.dtype, column.dtype)) for column in columns}
    )
    for_pandas = pa.Schema.from_pandas(empty, preserve_index=False).metadata
    fields = [pa.field(column.name, ARROW_TYPES[column.dtype], metadata=_field_metadata(column)) for column in columns]
    return pa.schema(fields, metadata={**for_pandas, METADATA_KEY: json.dumps(description).encode()})


def _field_metadata(column: Column) -> dict[str, str]:
    metadata = {"meaning": column.meaning, "unit": column.unit}
    return {**metadata, "encoding": "json"} if column.dtype == "json" else metadata


def is_json(field: Any) -> bool:
    """Return whether an Arrow field holds JSON text."""
    return (field.metadata or {}).get(b"encoding") == b"json"
