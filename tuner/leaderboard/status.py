"""How far a search is: what its log says happened, and whether anybody goes on with it."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tuner.facts.errors import ResultsDamagedError, UsageError, relative_to_cwd
from tuner.facts.records import State
from tuner.journal.events import Event, Start
from tuner.journal.history import History
from tuner.journal.links import regular_file
from tuner.journal.lock import holder_of
from tuner.journal.log import read_events
from tuner.journal.ranking import Ranking
from tuner.leaderboard.info import SearchInfo
from tuner.leaderboard.rung_correlation import RungCorrelation, rung_correlations
from tuner.leaderboard.source import DAMAGE, SETTINGS_FILE
from tuner.space.searchfile import LIMIT_NAMES, Scheduler

#: Limits that have no attribute of their own.
_LIMITS = LIMIT_NAMES[1:]


@dataclass(frozen=True)
class Status:
    """A search at one moment.

    Attributes:
        info: The search.
        holder: The process that runs it; None where none does.
        reason: Why the last driver let go in good order; None while one runs, and after it was killed.
        trials: How many trials there will be.
        states: State to number of trials in it, none of them 0.
        best_score: The best score of a completed trial, or None.
        best_trial: Its number, or None.
        slots: How many trials ran side by side when the last driver began.
        began_at: When the search was first taken up, in seconds since the epoch as all times here.
        last_event_at: When its log last grew.
        active_seconds: Time spent on it by all drivers; one that was killed is counted to its last event.
        time_budget: Seconds that it may take, or None.
        limits: What else ends it early, by name; a resume may have been given more.
        epochs: Reports that count.
        gpu_hours: GPUs times the hours for which trials have held them.
        seconds_left: At the pace so far; None where nobody knows.
        rungs: How far each rung ranks as the end does; none where nothing is judged.
    """

    info: SearchInfo
    holder: str | None
    reason: str | None
    trials: int
    states: Mapping[str, int]
    best_score: float | None
    best_trial: int | None
    slots: int | None
    began_at: float | None
    last_event_at: float | None
    active_seconds: float
    time_budget: float | None
    limits: Mapping[str, float]
    epochs: int
    gpu_hours: float
    seconds_left: float | None
    rungs: tuple[RungCorrelation, ...]

    @property
    def live(self) -> bool:
        """Whether a process runs it."""
        return self.holder is not None

    @property
    def ended(self) -> int:
        """How many trials have ended."""
        return sum(count for state, count in self.states.items() if State(state).finished)

    def to_json(self) -> dict[str, Any]:
        """Return it as ``--json`` prints it."""
        values = {
            **vars(self),
            "live": self.live,
            "ended": self.ended,
            "states": dict(self.states),
            "limits": dict(self.limits),
        }
        values["rungs"] = [asdict(rung) for rung in self.rungs]
        del values["info"]
        return {"version": 1, **self.info.to_json(), **values}


def status_of(folder: Path) -> Status:
    """Return how far the search in a folder is.

    Raises:
        UsageError: The folder holds no search.
        ResultsDamagedError: A file is not what was written.
        StorageError: The object storage fails.
    """
    info, settings = described(folder)
    holder = holder_of(folder)  # before the log: who has let go since has written all of it
    events = read_events(folder)
    return _status(info, settings, holder, events, time.time())


def described(folder: Path) -> tuple[SearchInfo, Mapping[str, Any]]:
    """Return the search in a folder, and its settings; raises as ``status_of`` does."""
    path = folder / SETTINGS_FILE
    if not path.exists():
        raise UsageError(f"{relative_to_cwd(folder)} holds no search that has begun")
    try:
        record = json.loads(regular_file(path).read_bytes())
        settings = record["settings"]
        _ = settings["search"], _scheduler(settings).brackets
        return SearchInfo.from_json(record), settings
    except DAMAGE as error:
        raise ResultsDamagedError(f"{relative_to_cwd(path)} is damaged: {error}") from error


def _status(
    info: SearchInfo, settings: Mapping[str, Any], holder: str | None, events: list[Event], now: float
) -> Status:
    history = History(events)
    opened = history.opened
    active = history.active_seconds + history.open_seconds
    if holder is not None and opened is not None and history.closed is None:
        active = history.active_seconds + max(0.0, now - opened.at)
    best = Ranking(info.goal, history.trials.values()).best
    search, scheduler = settings["search"], _scheduler(settings)
    trials = search["trials"] if opened is None else history.wanted
    times = [event.at for event in events if not isinstance(event, Start)]  # whose clock is another machine's
    return Status(
        info=info,
        holder=holder,
        reason=None if holder is not None or history.closed is None else history.closed.reason,
        trials=trials,
        states=_states(history, live=holder is not None),
        best_score=None if best is None else best.score,
        best_trial=None if best is None else best.number,
        slots=None if opened is None else opened.slots,
        began_at=times[0] if times else None,
        last_event_at=times[-1] if times else None,
        active_seconds=active,
        time_budget=search["time_budget"],
        limits={name: search[name] for name in _LIMITS if search.get(name) is not None},
        epochs=history.epochs,
        gpu_hours=history.gpu_seconds(now if holder is not None else history.last_at) / 3600,
        seconds_left=None if holder is None else _seconds_left(history, trials, active, search["time_budget"], now),
        rungs=rung_correlations(history, info.goal, scheduler.exempt, scheduler.brackets),
    )


def _scheduler(settings: Mapping[str, Any]) -> Scheduler:
    """Return the recorded scheduler, as far as rungs go; what it lacks is as before it was recorded."""
    recorded = {"type": "none", "reduction_factor": 3, "exempt": 0, **settings.get("scheduler", {})}
    return Scheduler(
        type=recorded["type"],
        grace_period=recorded.get("grace_period"),
        reduction_factor=recorded["reduction_factor"],
        max_epochs=recorded.get("max_epochs"),
        options={"exempt": float(recorded["exempt"])},
    )


def _states(history: History, *, live: bool) -> dict[str, int]:
    states = (State.INTERRUPTED if trial.end is None and not live else trial.state for trial in history.trials.values())
    counts = Counter(states)
    return {str(state): counts[state] for state in State if counts[state]}


def _seconds_left(history: History, trials: int, active: float, time_budget: float | None, now: float) -> float | None:
    """Return the time left at the pace of the driver that runs, bounded by the budget."""
    bounds = []
    ends = [trial.end.at for trial in history.trials.values() if trial.end is not None]
    if history.opened is not None:
        began = history.opened.at
        fresh = sum(at >= began for at in ends)
        if fresh:
            bounds.append(max(0.0, now - began) / fresh * max(0, trials - len(ends)))
    if time_budget is not None and time_budget > active:  # a resume may have been given more than search.json knows
        bounds.append(time_budget - active)
    return min(bounds, default=None)
