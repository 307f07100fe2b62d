"""What a new search takes over from earlier ones: read from their leaderboards once, and kept in its search.json.

A driver that goes on reads it from there alone: the earlier results may have changed by then, or be gone.
"""

from __future__ import annotations

from typing import Any

from tuner.facts.errors import ResultsDamagedError, UsageError, relative_to_cwd
from tuner.facts.words import counted
from tuner.leaderboard.read import find_search
from tuner.leaderboard.trial import ranked_configs
from tuner.space.searchfile import SearchFile
from tuner.space.warm_start import chosen
from tuner.storage.copies import results_folder
from tuner.study.folder import WARM_POINTS, Folder
from tuner.study.observer import Observer


def choose_warm_points(file: SearchFile, observer: Observer) -> list[dict[str, Any]]:
    """Return the configurations that a new search takes over, and say so; none where its file names no search.

    Raises:
        UsageError: There is no such search, it has another metric, or nothing that could be taken over.
        ResultsDamagedError: Its results are not what was written.
        StorageError: The object storage fails.
    """
    names = file.search.warm_start
    if not names:
        return []
    ranked = {name: _ranked(file, name) for name in names}
    for name, configs in ranked.items():
        if not chosen([configs], file.space, 1):
            raise UsageError(f"warm_start: no value of {name}'s completed trials lies in the space of this search")
    points = chosen(list(ranked.values()), file.space)
    sources = [f"{name} ({counted(len(configs), 'completed trial')})" for name, configs in ranked.items()]
    fitting = min(len(points), max(0, (file.search.trials - len(file.search.points) + 1) // 2))  # every other trial
    runs = "run" if len(points) > 1 else "runs"
    less = "" if fitting == len(points) else f" ({counted(file.search.trials, 'trial')} hold {fitting} of them)"
    observer.notice(
        f"{counted(len(points), 'configuration')} of {_listed(sources)} {runs} among the first trials{less}"
    )
    return points


def warm_points_of(folder: Folder) -> list[dict[str, Any]]:
    """Return the configurations that the search in a folder took over when it began.

    Raises:
        ResultsDamagedError: search.json is not what was written.
    """
    points = folder.description().get(WARM_POINTS, [])
    if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
        raise ResultsDamagedError(f"{relative_to_cwd(folder.path)}/search.json is damaged: {WARM_POINTS} is no list")
    return points


def _ranked(file: SearchFile, name: str) -> list[dict[str, Any]]:
    try:
        with results_folder(file.results, name) as results:
            info, configs = ranked_configs(find_search(results, name))
    except UsageError as error:
        raise UsageError(f"warm_start: {error}") from error
    before, now = f"{info.goal} {info.metric}", f"{file.metric.goal} {file.metric.name}"
    if before != now:
        raise UsageError(f"warm_start: {name} was to {before}, and this search is to {now}; its ranks say nothing here")
    if not configs:
        raise UsageError(f"warm_start: {name} has no completed trial")
    return configs


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
