"""The Parquet files of a search, replaced as a whole: a reader sees the old file or the new one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tuner.journal.history import History
from tuner.journal.log import log_size
from tuner.journal.storage import write_atomically
from tuner.leaderboard.epochs import epochs_tables
from tuner.leaderboard.info import SearchInfo
from tuner.leaderboard.rows import EndedRows, leaderboard_table

LEADERBOARD_FILE = "leaderboard.parquet"
EPOCHS_FILE = "epochs.parquet"

#: Rows are sorted by rank, so the best trials of any search lie in one small row group.
ROW_GROUP_SIZE = 16_384

#: Their epochs, thousands to tens of thousands of rows, are written together.
_TRIALS_AT_ONCE = 1000


def write_results(
    folder: Path,
    history: History,
    info: SearchInfo,
    *,
    live: bool,
    kept: Mapping[int, str],
    ended: EndedRows | None = None,
) -> None:
    """Write leaderboard.parquet and epochs.parquet. Called by the driver at most every few seconds, and at its end.

    Args:
        folder: The search's results folder.
        history: What the log says; its events are in the log already.
        info: The search.
        live: Whether the driver goes on; its last call says no.
        kept: Number of each ended trial whose checkpoint is kept, to its folder relative to ``folder``.
        ended: The same at every call of one driver, which then makes the rows of a trial that has ended once.

    Raises:
        StorageError: The folder cannot be written; the files that stood there still stand.
    """
    log_bytes = log_size(folder) or 0
    write_atomically(folder / EPOCHS_FILE, encoded(epochs_tables(history, info, _TRIALS_AT_ONCE)))
    table = leaderboard_table(history, info, live=live, kept=kept, log_bytes=log_bytes, ended=ended)
    write_atomically(folder / LEADERBOARD_FILE, encoded([table]))
    pa.default_memory_pool().release_unused()  # what a write takes for a moment, a driver would keep for good


def encoded(tables: Iterable[Any]) -> bytes:
    """Return Arrow tables of one schema as the bytes of a Parquet file with a checksum on every page."""
    sink, parts = pa.BufferOutputStream(), iter(tables)
    first = next(parts)
    with parquet_writer(sink, first.schema) as writer:
        for table in chain([first], parts):
            writer.write_table(table, row_group_size=ROW_GROUP_SIZE)
    return bytes(memoryview(sink.getvalue()))


def parquet_writer(sink: Any, schema: Any) -> Any:
    """Return a writer of Parquet as all files of the results are written; write at most ROW_GROUP_SIZE rows a group."""
    return pq.ParquetWriter(sink, schema, write_page_checksum=True)
