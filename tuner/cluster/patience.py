"""How long a server that answered before may be out of reach, and what a person is told meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable

from tuner.facts.errors import ClusterError

#: Seconds for which nothing is said: a connection that broke is often opened again at once.
_UNSAID_SECONDS = 3.0


class Patience:
    """Waits for one server: a sentence when it is lost for longer than a moment, and one when it is back."""

    def __init__(
        self, address: str, seconds: float, say: Callable[[str], object], timer: Callable[[], float] = time.monotonic
    ) -> None:
        """Nothing is lost yet.

        Args:
            address: The server's.
            seconds: How long it may be out of reach.
            say: Tells a person a sentence.
            timer: Monotonic seconds.
        """
        self._address = address
        self._seconds = seconds
        self._say = say
        self._timer = timer
        self._lost_at: float | None = None
        self._said = False

    def answered(self) -> None:
        """Called whenever the server has answered."""
        if self._said:
            self._say(f"{self._address} answers again")
        self._lost_at, self._said = None, False

    def failed(self, error: ClusterError) -> None:
        """Called whenever it has not; raises the error at the end of patience."""
        if self._lost_at is None:
            self._lost_at = self._timer()
        lost_for = self._timer() - self._lost_at
        if lost_for > self._seconds:
            raise error
        if lost_for >= _UNSAID_SECONDS and not self._said:
            self._say(f"{error}; asking again for {self._seconds / 60:.0f} minutes")
            self._said = True
