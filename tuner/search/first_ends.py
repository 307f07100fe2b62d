"""Whether a search is hopeless: its first trials all fail with the same error."""

from __future__ import annotations

from collections.abc import Iterable

from tuner.facts.records import State
from tuner.journal.events import End

#: So many first trials failing with the same error mean that the next ones will too.
SAME_FAILURES = 5


class FirstEnds:
    """The first ends of trials that a driver has seen."""

    def __init__(self, earlier: Iterable[State]) -> None:
        """Nothing has ended yet.

        Args:
            earlier: What became of the trials that ended under earlier drivers. Their failures do not count: the user
                may have mended the code since.
        """
        self._errors: list[str | None] = []
        self._promising = any(state is not State.FAILED for state in earlier)

    def ended(self, end: End) -> None:
        """Take in the end of a trial."""
        self._promising |= end.state is not State.FAILED
        if len(self._errors) < SAME_FAILURES:
            self._errors.append(end.error)

    @property
    def hopeless(self) -> str | None:
        """The error that the first trials all ended with, or None while there is hope."""
        if self._promising or len(self._errors) < SAME_FAILURES or len(set(self._errors)) > 1:
            return None
        return self._errors[0]
