"""Reading leaderboards as pandas data frames, and finding searches by name."""

from __future__ import annotations

import json
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from tuner.facts.errors import UsageError, relative_to_cwd
from tuner.facts.records import LEADERBOARD_COLUMNS, Column
from tuner.journal.log import LOG_FILE
from tuner.leaderboard.info import SearchInfo
from tuner.leaderboard.schema import arrow_schema, is_json
from tuner.leaderboard.source import SETTINGS_FILE, Source, leaderboard_of, opened
from tuner.leaderboard.write import LEADERBOARD_FILE
from tuner.storage.copies import results_folder


def read_leaderboard(results: str | Path = "results") -> pd.DataFrame:
    """Return the leaderboards below a folder as one data frame, columns united, nothing dropped.

    A column that is an integer in one search and a float in another is float64; one that is a text in one and a number
    in another holds JSON text. What a search lacks is null.

    Args:
        results: The results folder, the folder of one search, a leaderboard.parquet, or ``s3://bucket/prefix``.

    Raises:
        UsageError: There is no search.
        ResultsDamagedError: A file is not what was written.
        StorageError: The object storage fails.
    """
    with results_folder(str(results)) as path:
        if path.is_file():
            return _frame(opened(path))
        if is_search(path):
            return _frame(leaderboard_of(path))
        searches = list_searches(path)
        if not searches:
            raise _no_search(path)
        return _united([leaderboard_of(folder).read() for folder in searches])


def load_search(folder: Path) -> tuple[SearchInfo, pd.DataFrame]:
    """Return one search and its leaderboard as it is now, the best first; raises as ``read_leaderboard`` does."""
    source = leaderboard_of(folder)
    return source.info, _frame(source)


def is_search(folder: Path) -> bool:
    """Return whether a folder holds a search."""
    return any((folder / name).is_file() for name in (LEADERBOARD_FILE, SETTINGS_FILE, LOG_FILE))


def list_searches(results: Path) -> list[Path]:
    """Return the folders of the searches directly below a results folder, by name."""
    return sorted(folder for folder in results.iterdir() if is_search(folder)) if results.is_dir() else []


def find_search(results: Path, name: str | None, *, how: str = "NAME") -> Path:
    """Return the folder of a search.

    Args:
        results: The results folder.
        name: A folder below it; None where there is one search.
        how: How a command is told the name, for the text where there are several.

    Raises:
        UsageError: No such search, or several and no name; the text lists what there is.
    """
    if name is not None and (name in {"", ".", ".."} or "/" in name or "\\" in name):
        raise UsageError(f"'{name}' is no name of a search; it is a folder's name alone, without '/' and '..'")
    if name is None and is_search(results):
        return results
    searches = {folder.name: folder for folder in list_searches(results)}
    if not searches:
        raise _no_search(results)
    there_are = f"{relative_to_cwd(results)} holds {', '.join(searches)}"
    if name is None:
        if len(searches) > 1:
            raise UsageError(f"several searches; name one ({how}): {there_are}")
        return next(iter(searches.values()))
    if name not in searches:
        near = get_close_matches(name, searches, n=1)
        hint = f"did you mean '{near[0]}'? " if near else ""
        raise UsageError(f"no search '{name}'; {hint}{there_are}")
    return searches[name]


def _no_search(results: Path) -> UsageError:
    return UsageError(
        f"no search in {relative_to_cwd(results)}; 'tuner search FILE' starts one, --results names a folder"
    )


def _frame(source: Source) -> pd.DataFrame:
    frame: pd.DataFrame = source.read().to_pandas()
    return frame


def _united(tables: list[Any]) -> pd.DataFrame:
    columns = _united_columns(tables)
    schema = arrow_schema(columns, {})
    parts = []
    for table in tables:
        arrays = [_as_column(table, column, field) for column, field in zip(columns, schema, strict=True)]
        parts.append(pa.Table.from_arrays(arrays, schema=schema))
    frame: pd.DataFrame = pa.concat_tables(parts).to_pandas()
    return frame


def _united_columns(tables: list[Any]) -> list[Column]:
    """Return the columns of all tables: the fixed ones, then the others as they appear, each with a type for all."""
    columns = {column.name: column for column in LEADERBOARD_COLUMNS}
    dtypes: dict[str, set[str]] = {}
    for table in tables:
        for field in table.schema:
            dtypes.setdefault(field.name, set()).add("json" if is_json(field) else _DTYPES[field.type])
    for name, kinds in dtypes.items():
        if name not in columns:
            columns[name] = Column(name, _common(kinds), "")
    return list(columns.values())


_DTYPES = {pa.string(): "string", pa.int64(): "Int64", pa.float64(): "float64", pa.bool_(): "boolean"}
_DTYPES[pa.timestamp("us", tz="UTC")] = "timestamp"


def _common(kinds: set[str]) -> str:
    if len(kinds) == 1:
        return next(iter(kinds))
    return "float64" if kinds == {"Int64", "float64"} else "json"


def _as_column(table: Any, column: Column, field: Any) -> Any:
    """Return one column of a table in the type that it has in the union."""
    if column.name not in table.schema.names:
        return pa.chunked_array([pa.nulls(table.num_rows, field.type)])
    values = table.column(column.name)
    if column.dtype == "json" and not is_json(table.schema.field(column.name)):
        texts = [None if value is None else json.dumps(value) for value in values.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.string())])
    return values.cast(field.type)
