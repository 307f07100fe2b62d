"""Progress of a search on stderr: a live table in a terminal, a line for each finished trial elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections import Counter, deque

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tuner.facts.records import State
from tuner.journal.events import End, Epoch, Event
from tuner.journal.history import Trial
from tuner.search.ledger import Ledger
from tuner.study.observer import Observer, Silent, Work

_REFRESH_SECONDS = 0.25
_RATE_WINDOW_SECONDS = 30.0
_COLOURS = {
    State.COMPLETED: "green",
    State.STOPPED: "yellow",
    State.DIVERGED: "magenta",
    State.OUT_OF_MEMORY: "magenta",
    State.FAILED: "red",
}


def observer(mode: str) -> Observer:
    """Return the observer for ``--progress``: auto, live, lines or none."""
    if mode == "none":
        return _Quiet()
    if mode == "live" or (mode == "auto" and sys.stderr.isatty()):
        return _Live()
    return _Lines()


class _Quiet(Silent):
    """Notices alone."""

    def notice(self, text: str) -> None:
        with contextlib.suppress(OSError):  # nobody reads it any more; the search goes on
            print(text, file=sys.stderr, flush=True)


class _Lines(_Quiet):
    """One line for each finished trial."""

    def started(self, work: Work, ledger: Ledger) -> None:
        self._tally = _Tally(work, ledger)
        self.notice(_headline(work, ledger))

    def heard(self, event: Event) -> None:
        if isinstance(event, End):
            trial = self._tally.ended(event)
            work = self._tally.work
            self.notice(f"[{self._tally.done}/{work.count}] {work.label(trial)} {_story(trial, self._tally)}")


class _Live(_Quiet):
    """A table that changes in place, and a line above it for each finished trial."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._live: Live | None = None
        self._drawn = 0.0

    def notice(self, text: str) -> None:
        self._console.print(Text(text))

    def started(self, work: Work, ledger: Ledger) -> None:
        self._tally = _Tally(work, ledger)
        self.notice(_headline(work, ledger))
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._live.start()

    def heard(self, event: Event) -> None:
        if self._live is None:
            return
        if isinstance(event, Epoch):
            self._tally.epoch()
        if isinstance(event, End):
            trial = self._tally.ended(event)
            line = Text(
                f"{self._tally.work.label(trial)} {_story(trial, self._tally)}", style=_COLOURS.get(trial.state, "")
            )
            self._console.print(line, overflow="ellipsis", no_wrap=True)

    def tick(self) -> None:
        now = time.monotonic()
        if self._live is not None and now - self._drawn >= _REFRESH_SECONDS:
            self._drawn = now
            self._live.update(self._picture(), refresh=True)

    def ended(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _picture(self) -> Group:
        tally = self._tally
        work = tally.work
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            ProgressBar(total=work.count, completed=tally.done, width=30),
            f"{tally.done}/{work.count} {work.noun}s",
            f"{tally.rate():.2f} epochs/s",
            f"{_spelled(tally.ledger.active_seconds)} gone",
            _left(tally),
        )
        states = Text(", ").join(
            Text(f"{count} {state}", style=_COLOURS.get(State(state), "cyan"))
            for state, count in tally.states().items()
        )
        running = Table.grid(padding=(0, 2))
        for trial in tally.running()[:8]:
            report = trial.epochs.get(trial.last_epoch)
            score = "" if report is None else f"{work.metric.name} {report.score:.4g}"
            running.add_row(f"  {work.label(trial)}", f"epoch {trial.last_epoch}/{work.max_epochs or '?'}", score)
        return Group(bar, states, *([Text(f"best: {tally.best_text()}")] if work.contest else []), running)


class _Tally:
    """Counts of a search, kept up event by event."""

    def __init__(self, work: Work, ledger: Ledger) -> None:
        self.work = work
        self.ledger = ledger
        self._best: tuple[float, int] | None = None
        self._epochs: deque[float] = deque()
        self._states: Counter[State] = Counter()
        self._began = time.monotonic()
        self._done_before = 0
        for trial in ledger.history.trials.values():
            if trial.end is not None:
                self._count(trial)
        self._done_before = self.done

    @property
    def done(self) -> int:
        """Ended trials, those of earlier drivers included."""
        return sum(self._states.values())

    def ended(self, event: End) -> Trial:
        """Count an ended trial; returns it."""
        trial = self.ledger.history.trials[event.n]
        self._count(trial)
        return trial

    def epoch(self) -> None:
        """Count an epoch."""
        self._epochs.append(time.monotonic())

    def rate(self) -> float:
        """Return epochs a second over the last half minute."""
        now = time.monotonic()
        while self._epochs and now - self._epochs[0] > _RATE_WINDOW_SECONDS:
            self._epochs.popleft()
        return len(self._epochs) / max(1.0, min(_RATE_WINDOW_SECONDS, now - self._began))

    def states(self) -> dict[str, int]:
        """Return state to count, running first."""
        counts = {"running": len(self.running())} | {str(state): count for state, count in self._states.items()}
        return {state: count for state, count in counts.items() if count}

    def running(self) -> list[Trial]:
        """Return the trials that have not ended."""
        return self.ledger.history.unfinished

    def seconds_left(self) -> float | None:
        """Return the time left at the pace so far, or None before it is known; a time budget bounds it."""
        fresh = self.done - self._done_before
        bounds = []
        if fresh:
            pace = (time.monotonic() - self._began) / fresh
            bounds.append(pace * (self.work.count - self.done))
        if self.work.time_budget is not None:
            bounds.append(max(0.0, self.work.time_budget - self.ledger.active_seconds))
        return min(bounds, default=None)

    def best_text(self) -> str:
        """Return the best score so far in words."""
        if self._best is None:
            return "no trial has completed yet"
        return f"{self.work.metric.name} {self._best[0]:.4f} (trial {self._best[1]})"

    def is_best(self, number: int) -> bool:
        """Return whether a trial is the best so far, where that is what is looked for."""
        return self.work.contest and self._best is not None and self._best[1] == number

    def _count(self, trial: Trial) -> None:
        self._states[trial.state] += 1
        report = trial.best(self.work.metric.goal)
        if trial.state is not State.COMPLETED or report is None:
            return
        if self._best is None or self.work.metric.goal.better(report.score, self._best[0]):
            self._best = (report.score, trial.number)


def _headline(work: Work, ledger: Ledger) -> str:
    before = sum(trial.end is not None for trial in ledger.history.trials.values())
    resumed = f", {before} ended before" if before else ""
    gpus = f", {work.resources.gpus_per_trial:g} GPU each" if work.resources.gpus_per_trial else ""
    return (
        f"{work.title}: {work.count} {work.noun}s{resumed}, {work.concurrent} side by side"
        f" ({work.resources.cpus_per_trial:g} CPU each{gpus}), {work.how}"
    )


def _story(trial: Trial, tally: _Tally) -> str:
    assert trial.end is not None
    report = trial.best(tally.work.metric.goal)
    parts = [str(trial.state), f"after {trial.last_epoch} epochs"]
    if trial.state in (State.COMPLETED, State.STOPPED) and report is not None:
        parts.append(f"{tally.work.metric.name} {report.score:.4f}")
    if trial.end.error is not None:
        parts.append(trial.end.error)
    if tally.is_best(trial.number):
        parts.append("(best so far)")
    return " ".join(parts)


def _left(tally: _Tally) -> str:
    seconds = tally.seconds_left()
    return "" if seconds is None else f"about {_spelled(seconds)} left"


def _spelled(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s"
