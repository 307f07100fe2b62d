"""The spaces of a search that was given another one while it lived: kept in search.json, and read from there.

``spaces`` is a list in the order of time, each with ``first``, the number of the first trial that is proposed from it,
``parameters`` and ``require`` as in ``settings``, what its ``Change`` says, and the configurations that it begins with:
``points`` and ``warm_points``, from the place ``begins`` on in the order of proposals. A search whose space never
changed has none. ``settings`` holds the last space, and ``hyperparameters`` the columns of all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tuner.facts.errors import ResultsDamagedError, relative_to_cwd
from tuner.hyperparameters.table import TRAINABLES
from tuner.journal.history import History
from tuner.journal.storage import write_atomically, write_json
from tuner.leaderboard.info import SearchInfo
from tuner.search.stages import Stage
from tuner.space.change import Change
from tuner.space.read import read_settings
from tuner.space.searchfile import SearchFile
from tuner.space.space import Space
from tuner.space.warm_start import fitting
from tuner.study.folder import WARM_POINTS, Folder, portable_settings, respaced
from tuner.study.warm_start import warm_points_of

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
        return [Stage(0, file.space, Change(), file.search.points, warm_points_of(folder))]
    try:
        stages = [_stage(entry, record["settings"], file) for entry in record[_SPACES]]
        if not stages:
            raise ValueError("there is none")
        return stages
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ResultsDamagedError(f"{relative_to_cwd(folder.path)}/search.json holds no spaces: {error!r}") from error


def read_recorded(settings: Mapping[str, Any], file: SearchFile) -> SearchFile:
    """Return recorded settings as a search file; another of the same search says where its data and code lie.

    Raises:
        ValueError: They are not what was written; KeyError, TypeError and AttributeError alike.
    """
    written = dict(settings)
    if file.data is not None and file.data.root is not None:
        written["data"] = {**settings["data"], "root": file.data.root}
    return read_settings(written, str(file.path.parent / "search.json"), trainables=TRAINABLES)


def _stage(entry: Mapping[str, Any], settings: Mapping[str, Any], file: SearchFile) -> Stage:
    fields = TRAINABLES.get(file.trainable, {})
    change = Change(dict(entry.get("renamed", {})), dict(entry.get("defaults", {})), fields)
    search = {**settings["search"], "points": entry["points"]}
    read = read_recorded({**settings, **{key: entry[key] for key in _KEYS}, "search": search}, file)
    first, begins = int(entry["first"]), int(entry["begins"])
    return Stage(first, read.space, change, read.search.points, list(entry[WARM_POINTS]), begins)


def put_space(folder: Folder, file: SearchFile, change: Change, history: History) -> None:
    """Give a search another space.

    Args:
        folder: It holds the search, and this process is its one writer.
        file: Its settings with the new space.
        change: How that follows from the space before it.
        history: What has been proposed so far; the next trial is the first from it.

    Raises:
        ResultsDamagedError: search.json is not what was written.
        StorageError: It cannot be written.
    """
    record, now = folder.description(), portable_settings(file)
    before = record["settings"]
    points, warm = before["search"]["points"], record.get(WARM_POINTS, [])
    begun = {"first": 0, **{key: before[key] for key in _KEYS}, "points": points, WARM_POINTS: warm, "begins": 0}
    spaces = record.get(_SPACES, [begun])
    begins = len(history.trials) - history.out_of_turn
    place = begins - spaces[-1]["begins"]
    waiting = spaces[-1]["points"][place:]
    tried = [change.names(point) for point in points if point not in waiting]
    entry = {
        "first": len(history.trials),
        **{key: now[key] for key in _KEYS},
        "renamed": dict(change.renamed),
        "defaults": dict(change.defaults),
        "points": [point for point in now["search"]["points"] if point not in tried],
        WARM_POINTS: _warm_points_left(spaces[-1], place, change, file.space),
        "begins": begins,
    }
    info = SearchInfo.of(file.name, file.metric.name, file.metric.goal, file.space)
    columns = _united(change.names(record["hyperparameters"]), info.hyperparameters)
    changed = {"settings": respaced(before, now), "hyperparameters": columns, _SPACES: [*spaces, entry]}
    write_json(folder.path / "search.json", {**record, **changed})
    write_atomically(folder.path / "space.yaml", file.text.encode())


def _warm_points_left(before: Mapping[str, Any], place: int, change: Change, space: Space) -> list[dict[str, Any]]:
    """Return what of earlier searches has not been proposed, as far as it lies in a new space.

    Args:
        before: The space that was, as ``spaces`` has it.
        place: Of the next proposal, from where that began: after its points every other one was of earlier searches.
        change: How the new space follows.
        space: The new one.
    """
    proposed = max(0, place - len(before["points"]) + 1) // 2
    fitted = (fitting(change.names(point), space) for point in before[WARM_POINTS][proposed:])
    return [point for point in fitted if point]


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
