"""Progress of a search on stderr: a live table in a terminal, a line for each finished trial elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tuner.cli.tally import Tally
from tuner.facts.printable import printable, printable_lines
from tuner.facts.records import Origin, State
from tuner.facts.words import counted, spelled_time
from tuner.journal.events import End, Epoch, Event
from tuner.journal.history import Trial
from tuner.search.ledger import Ledger
from tuner.study.observer import Observer, Silent, Work

_REFRESH_SECONDS = 0.25
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
            print(printable_lines(text), file=sys.stderr, flush=True)


class _Lines(_Quiet):
    """One line for each finished trial."""

    def started(self, work: Work, ledger: Ledger) -> None:
        self._tally = Tally(work, ledger)
        self.notice(_headline(work, ledger))

    def heard(self, event: Event) -> None:
        if isinstance(event, End):
            trial = self._tally.ended(event)
            work = self._tally.work
            self.notice(f"[{self._tally.done}/{self._tally.count}] {work.label(trial)} {_story(trial, self._tally)}")


class _Live(_Quiet):
    """A table that changes in place, and a line above it for each finished trial."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._live: Live | None = None
        self._drawn = 0.0

    def notice(self, text: str) -> None:
        self._console.print(Text(printable_lines(text)))

    def started(self, work: Work, ledger: Ledger) -> None:
        self._tally = Tally(work, ledger)
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
            ProgressBar(total=tally.count, completed=tally.done, width=30),
            f"{tally.done}/{tally.count} {work.noun}s",
            f"{tally.rate():.2f} epochs/s",
            f"{spelled_time(tally.ledger.active_seconds)} gone",
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


def _headline(work: Work, ledger: Ledger) -> str:
    before = sum(trial.end is not None for trial in ledger.history.trials.values())
    resumed = f", {before} ended before" if before else ""
    gpus = f", {work.resources.gpus_per_trial:g} GPU each" if work.resources.gpus_per_trial else ""
    return (
        f"{work.title}: {counted(ledger.history.wanted, work.noun)}{resumed}, {work.concurrent} side by side"
        f" ({work.resources.cpus_per_trial:g} CPU each{gpus}), {work.how}"
    )


def _story(trial: Trial, tally: Tally) -> str:
    assert trial.end is not None
    report = trial.best(tally.work.metric.goal)
    parts = [str(trial.state), f"after {counted(trial.last_epoch, 'epoch')}"]
    if trial.state in (State.COMPLETED, State.STOPPED) and report is not None:
        parts.append(f"{tally.work.metric.name} {report.score:.4f}")
    if trial.end.error is not None:
        parts.append(printable(trial.end.error))
    if trial.ask.origin is Origin.REPLICATE:
        parts.append("(a leader, run again)")
    if tally.is_best(trial.number):
        parts.append("(best so far)")
    return " ".join(parts)


def _left(tally: Tally) -> str:
    seconds = tally.seconds_left()
    return "" if seconds is None else f"about {spelled_time(seconds)} left"
