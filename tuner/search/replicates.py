"""Runs a configuration that leads again, with other seeds, where luck may have made it lead."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tuner.facts.configs import config_hash, without_seed
from tuner.facts.records import Goal, State
from tuner.journal.events import Ask
from tuner.journal.history import Trial
from tuner.journal.ranking import Ranking

#: Share of ended trials that diverged, below which nothing is run again: there a leader is hardly there by luck.
_LEAST_DIVERGED = 0.1

#: Trials that have to have ended before that share is taken for known, and a lead for more than a beginning.
_LEAST_ENDED = 10


class Replicates:
    """Says which configuration to run again: that of the trial which leads, until it has run often enough.

    Where training diverges by chance, the more trials a search has, the more of them were lucky, and the luckiest
    leads. A run that diverges ends its configuration's lead (``Ranking``), and the next one's turn has come. A run that
    was stopped or failed counts: what fails again and again would otherwise take all trials that are left.
    """

    def __init__(self, goal: Goal, runs: int) -> None:
        """Args: runs: how often a configuration that leads is to run in all, at least 1."""
        self._wanted_runs = runs
        self._ranking = Ranking(goal)
        self._runs: Counter[str] = Counter()
        self._ended = self._diverged = 0

    def begun(self, ask: Ask) -> None:
        """Take in a proposal."""
        self._runs[config_hash(ask.config)] += 1

    def ended(self, trial: Trial) -> None:
        """Take in a trial that has ended."""
        self._ended += trial.state is not State.FAILED
        self._diverged += trial.state is State.DIVERGED
        self._ranking.ended(trial)

    @property
    def wanted(self) -> dict[str, Any] | None:
        """The configuration to run again now, without a seed; None if there is none."""
        if self._ended < _LEAST_ENDED or self._diverged < _LEAST_DIVERGED * self._ended:
            return None
        leader = self._ranking.best
        if leader is None or leader.shaky or self._runs[leader.config_hash] >= self._wanted_runs:
            return None
        return without_seed(leader.config)
