"""The spaces of a search that was given another one while it lived: kept in search.json, and read from there.

``spaces`` is a list in the order of time, each with ``first``, the number of the first trial that is proposed from it,
``parameters`` and ``require`` as in ``settings``, and what its ``Change`` says. A search whose space never changed has
none. ``settings`` holds the last space, and ``hyperparameters`` the columns of all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tuner.facts.errors import ResultsDamagedError, relative_to_cwd
from tuner.hyperparameters.table import TRAINABLES
from tuner.journal.storage import write_atomically, write_json
from tuner.leaderboard.info import SearchInfo
from tuner.search.stages import Stage
from tuner.space.change import Change
from tuner.space.read import read_settings
from tuner.space.searchfile import SearchFile
from tuner.study.folder import Folder, portable_settings

_SPACES = "spaces"
_KEYS = ("parameters", "require")


def stages_of(folder: Folder, file: SearchFile) -> list[Stage]:
    """Return the spaces of a search, in the order of time.

    Args:
        folder: It holds the search.
        file: Its settings; its space is the last.

    Raises:
        ResultsDamagedError: search.json is not what was written.
    """
    record = folder.description()
    if _SPACES not in record:
        return [Stage(0, file.space, Change())]
    try:
        return [_stage(entry, record["settings"], file) for entry in record[_SPACES]]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ResultsDamagedError(f"{relative_to_cwd(folder.path)}/search.json holds no spaces: {error!r}") from error


def _stage(entry: Mapping[str, Any], settings: Mapping[str, Any], file: SearchFile) -> Stage:
    fields = TRAINABLES.get(file.trainable, {})
    change = Change(dict(entry.get("renamed", {})), dict(entry.get("defaults", {})), fields)
    # Its points are the last space's. As a source the file's folder, where one's own trainable lies.
    written = {**settings, **{key: entry[key] for key in _KEYS}, "search": {**settings["search"], "points": []}}
    if file.data is not None and file.data.root is not None:
        written["data"] = {**settings["data"], "root": file.data.root}
    space = read_settings(written, str(file.path.parent / "search.json"), trainables=TRAINABLES).space
    return Stage(int(entry["first"]), space, change)


def put_space(folder: Folder, file: SearchFile, change: Change, first: int) -> None:
    """Give a search another space.

    Args:
        folder: It holds the search, and this process is its one writer.
        file: Its settings with the new space.
        change: How that follows from the space before it.
        first: Number of the first trial that is proposed from it.

    Raises:
        ResultsDamagedError: search.json is not what was written.
        StorageError: It cannot be written.
    """
    record, now = folder.description(), portable_settings(file)
    before = record["settings"]
    spaces = record.get(_SPACES, [{"first": 0, **{key: before[key] for key in _KEYS}}])
    entry = {
        "first": first,
        **{key: now[key] for key in _KEYS},
        "renamed": dict(change.renamed),
        "defaults": dict(change.defaults),
    }
    info = SearchInfo.of(file.name, file.metric.name, file.metric.goal, file.space)
    settings = {**before, **{key: now[key] for key in _KEYS}}
    columns = _united(change.names(record["hyperparameters"]), info.hyperparameters)
    changed = {"settings": settings, "hyperparameters": columns, _SPACES: [*spaces, entry]}
    write_json(folder.path / "search.json", {**record, **changed})
    write_atomically(folder.path / "space.yaml", file.text.encode())


def with_all_columns(info: SearchInfo, folder: Folder) -> SearchInfo:
    """Return the description of a search with the hyperparameters of all its spaces."""
    record = folder.description()
    return replace(info, hyperparameters=dict(record["hyperparameters"])) if _SPACES in record else info


def _united(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """Return a type for each column, those of the new space first: of two types the one that holds both."""
    united = {**now, **{name: dtype for name, dtype in before.items() if name not in now}}
    for name in now.keys() & before.keys():
        if before[name] != now[name]:
            united[name] = "float64" if {before[name], now[name]} == {"Int64", "float64"} else "json"
    return united
