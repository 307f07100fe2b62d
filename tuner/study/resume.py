"""Whether a results folder holds the search that is asked for, and whether anything of it is left to do."""

from __future__ import annotations

from tuner.facts.errors import UsageError, relative_to_cwd
from tuner.facts.ray_job import in_ray_job
from tuner.journal.history import History
from tuner.search.improvement import Improvement
from tuner.search.limits import LIMITS, Standing, reached
from tuner.space.searchfile import SearchFile
from tuner.storage.copies import origin
from tuner.study.folder import Folder, differences, portable_settings, respaced
from tuner.study.request_files import lasting

#: How a driver lets go of a search that has nothing left to do.
DONE = frozenset({"trials", "exhausted", *LIMITS})


def finished_by(
    folder: Folder, file: SearchFile, resume: bool, resume_command: str, *, more: int = 0, changed: bool = False
) -> str | None:
    """Return why the search in a folder has nothing left to do, as ``Outcome.reason``; None if it is unfinished.

    Args:
        folder: It holds a search.
        file: What is asked for.
        resume: Whether to go on with an unfinished one, or with one that was given something to do since it ended.
        resume_command: What errors tell people to type to resume.
        more: How many more trials are wanted than the search's drivers wanted so far.
        changed: Whether the file's space is to take the place of the search's.

    Raises:
        UsageError: It is another search, or an unfinished one that was not asked to be resumed.
    """
    place = relative_to_cwd(folder.path)
    before, now = folder.description()["settings"], portable_settings(file)
    differing = differences(respaced(before, now) if changed else before, now)
    if differing:
        raise UsageError(
            f"{place} holds a search with other settings: {'; '.join(differing)}; choose another --name"
            + (", or --restart to move it aside" if origin(folder.path) is None and not in_ray_job() else "")
        )
    history = folder.history()
    if changed and history.closed is not None and history.closed.reason == "exhausted":
        return None
    wanted = max(file.search.trials, history.extended) + more
    reason = _finished(history, file, wanted)
    if reason is not None and not (resume and _asked(folder, history)):
        return reason
    if not resume:
        done = sum(trial.end is not None for trial in history.trials.values())
        raise UsageError(
            f"{place} holds an unfinished search ({done} of {wanted} trials ended); go on with: {resume_command}"
        )
    return None


def _asked(folder: Folder, history: History) -> bool:
    """Return whether a request waits that the log has not taken in."""
    return any(name not in history.requests for name in lasting(folder.path))


def _finished(history: History, file: SearchFile, wanted: int) -> str | None:
    if history.closed is None or history.opened is None or (reason := history.closed.reason) not in DONE:
        return None
    if reason == "exhausted" or (reason == "trials" and wanted <= len(history.trials)):
        return reason
    improvement = Improvement.of(history, file.metric.goal)
    standing = Standing(history.active_seconds, history.closed.at, history, improvement)
    return reached(file.search.limits, standing) if reason in LIMITS else None
