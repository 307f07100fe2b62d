"""Whether a results folder holds the search that is asked for, and whether anything of it is left to do."""

from __future__ import annotations

from tuner.facts.errors import UsageError, relative_to_cwd
from tuner.facts.ray_job import in_ray_job
from tuner.journal.history import History
from tuner.space.searchfile import SearchFile
from tuner.storage.copies import origin
from tuner.study.folder import Folder, differences, portable_settings

#: How a driver lets go of a search that has nothing left to do.
DONE = frozenset({"trials", "exhausted", "time_budget"})


def is_finished(folder: Folder, file: SearchFile, resume: bool, resume_command: str) -> bool:
    """Return whether the search in a folder is finished.

    Raises:
        UsageError: It is another search, or an unfinished one that was not asked to be resumed.
    """
    place = relative_to_cwd(folder.path)
    differing = differences(folder.description()["settings"], portable_settings(file))
    if differing:
        raise UsageError(
            f"{place} holds a search with other settings: {'; '.join(differing)}; choose another --name"
            + (", or --restart to move it aside" if origin(folder.path) is None and not in_ray_job() else "")
        )
    history = folder.history()
    if _finished(history, file):
        return True
    if not resume:
        done = sum(trial.end is not None for trial in history.trials.values())
        raise UsageError(
            f"{place} holds an unfinished search ({done} of {file.search.trials} trials ended); "
            f"go on with: {resume_command}"
        )
    return False


def _finished(history: History, file: SearchFile) -> bool:
    if history.closed is None or history.opened is None or history.closed.reason not in DONE:
        return False
    budget = file.search.time_budget
    return {
        "trials": file.search.trials <= len(history.trials),
        "exhausted": True,
        "time_budget": budget is not None and history.active_seconds >= budget,
    }[history.closed.reason]
