"""The Parquet files of a search as they are now: from disk, or rebuilt from the log where they are behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tuner.facts.errors import ResultsDamagedError, UsageError, relative_to_cwd
from tuner.facts.records import State
from tuner.journal.history import History
from tuner.journal.links import regular_file
from tuner.journal.lock import is_held
from tuner.journal.log import LOG_FILE, log_size, read_events
from tuner.leaderboard.epochs import epochs_table
from tuner.leaderboard.info import SearchInfo
from tuner.leaderboard.rows import leaderboard_table
from tuner.leaderboard.schema import ARROW_TYPES, FORMAT_VERSION, METADATA_KEY, epoch_columns, leaderboard_columns
from tuner.leaderboard.write import EPOCHS_FILE, LEADERBOARD_FILE, encoded
from tuner.storage.copies import fetch, origin

SETTINGS_FILE = "search.json"

#: What reading a description leads to where something else was written.
DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
    ResultsDamagedError,
)

#: The same of a Parquet file.
_DAMAGE = (pa.ArrowException, *DAMAGE)


@dataclass(frozen=True)
class Source:
    """One Parquet file of a search, opened.

    Attributes:
        path: Where it lies, for error texts.
        file: The open file, a ``pyarrow.parquet.ParquetFile`` that verifies checksums.
        info: The search.
    """

    path: Path
    file: Any
    info: SearchInfo

    def read(self, columns: list[str] | None = None) -> Any:
        """Return the whole file, or some of its columns, as an Arrow table.

        Raises:
            ResultsDamagedError: A page is not what was written.
        """
        with _damage_named(self.path):
            return self.file.read(columns=columns)

    def read_groups(self, groups: list[int]) -> Any:
        """Return some row groups as an Arrow table; raises as ``read`` does."""
        with _damage_named(self.path):
            return self.file.read_row_groups(groups)


def leaderboard_of(folder: Path) -> Source:
    """Return a search's leaderboard as it is now.

    A driver that was killed leaves the file a few seconds behind its log, with trials that seem to run. Then, and
    where the first file is not written yet, it is rebuilt in memory; nothing in the folder is changed.

    Raises:
        UsageError: The folder holds no search.
        ResultsDamagedError: A file is not what was written.
        StorageError: The object storage fails.
    """
    path, held = folder / LEADERBOARD_FILE, is_held(folder)
    has_log = log_size(folder) is not None
    if fetch(path) and not (has_log and _is_damaged(path)):
        source, description = _opened(path)
        if held or (has_log and not _behind(folder, description)):
            return source
        if not has_log:
            return _relabelled(source) if description["live"] else source
    history, info = _replayed(folder)
    with _damage_named(folder / LOG_FILE):
        table = leaderboard_table(history, info, live=held, kept=_kept(folder, history))
        return Source(path, _in_memory(table), info)


def _is_damaged(path: Path) -> bool:
    """Return whether a file cannot even be opened; where there is a log, all of it can be made again."""
    try:
        _opened(path)
    except ResultsDamagedError:
        return True
    return False


def epochs_of(folder: Path) -> Source:
    """Return a search's epochs as they are now; raises as ``leaderboard_of`` does."""
    path, leaderboard = folder / EPOCHS_FILE, folder / LEADERBOARD_FILE
    has_log = log_size(folder) is not None
    behind = fetch(leaderboard) and _behind(folder, _opened(leaderboard)[1])
    if fetch(path) and (is_held(folder) or not has_log or not behind):
        return _opened(path)[0]
    history, info = _replayed(folder)
    with _damage_named(folder / LOG_FILE):
        return Source(path, _in_memory(epochs_table(history, info)), info)


def opened(path: Path) -> Source:
    """Return one Parquet file as it lies there, wherever that is."""
    return _opened(path)[0]


def _opened(path: Path) -> tuple[Source, Mapping[str, Any]]:
    with _damage_named(path):
        file = pq.ParquetFile(regular_file(path), page_checksum_verification=True)
        description = json.loads(file.schema_arrow.metadata[METADATA_KEY])
        info = SearchInfo.from_json(description)
        version = description["version"]
        if version == FORMAT_VERSION:
            _check(path, file.schema_arrow, description, info)
    if version != FORMAT_VERSION:
        raise UsageError(f"{relative_to_cwd(path)} is of version {version}; this program reads {FORMAT_VERSION}")
    return Source(path, file, info), description


def _check(path: Path, schema: Any, description: Mapping[str, Any], info: SearchInfo) -> None:
    """Raise KeyError or TypeError where a file lacks what one of its kind has: anybody can write Parquet."""
    if path.name == EPOCHS_FILE:
        columns = epoch_columns(())
    else:
        columns = leaderboard_columns(info, ())
        _ = description["live"], description["log_bytes"]
    for column in columns:
        if schema.field(column.name).type != ARROW_TYPES[column.dtype]:
            raise TypeError(f"its column {column.name} is of another type")


def _in_memory(table: Any) -> Any:
    return pq.ParquetFile(pa.BufferReader(encoded([table])))


def _behind(folder: Path, description: Mapping[str, Any]) -> bool:
    """Return whether the log may hold more than a leaderboard shows: it grew, or a driver was still at work."""
    return bool(description["live"] or log_size(folder) != description["log_bytes"])


def _relabelled(source: Source) -> Source:
    """Return a leaderboard whose trials seem to run though nobody is there, with those interrupted."""
    table = source.read()
    position = table.schema.get_field_index("state")
    state = table.column(position)
    relabelled = pc.if_else(pc.equal(state, str(State.RUNNING)), str(State.INTERRUPTED), state)
    table = table.set_column(position, table.schema.field(position), relabelled)
    return Source(source.path, _in_memory(table), source.info)


def _replayed(folder: Path) -> tuple[History, SearchInfo]:
    settings = folder / SETTINGS_FILE
    if not fetch(settings):
        raise UsageError(f"{relative_to_cwd(folder)} holds no search")
    with _damage_named(settings):
        info = SearchInfo.from_json(json.loads(regular_file(settings).read_bytes()))
    return History(read_events(folder)), info


def _kept(folder: Path, history: History) -> dict[int, str]:
    """Return the newest checkpoint that still lies there, for each trial that has one."""
    found = origin(folder)
    stored = None if found is None else {item.name for item in found[0].below(found[1]).list("checkpoints/")}
    kept: dict[int, str] = {}
    for number, trial in history.trials.items():
        for epoch in sorted(trial.epochs):
            path = f"checkpoints/{number}/{trial.epochs[epoch].checkpoint}"
            if (folder / path).is_dir() if stored is None else path in stored:
                kept[number] = path
    return kept


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise UsageError(f"{relative_to_cwd(path)} cannot be read: {error.strerror}") from error
    except _DAMAGE as error:
        reason = (str(error).splitlines() or [""])[0]
        raise ResultsDamagedError(f"{relative_to_cwd(path)} is damaged: {reason}") from error
