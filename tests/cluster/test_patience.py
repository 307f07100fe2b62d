"""How long a job server that went away is waited for, and what is said meanwhile; on a clock of the test's own."""

from __future__ import annotations

import pytest

from tuner.cluster.patience import Patience
from tuner.facts.errors import ClusterError

LOST = ClusterError("http://head:8265 cannot be reached: Connection refused")


class Waiting:
    """A patience of ten minutes, and what it has said."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.said: list[str] = []
        self.patience = Patience("http://head:8265", 600.0, self.said.append, timer=lambda: self.now)

    def lost_for(self, seconds: float) -> None:
        """Ask in vain, once a second."""
        for _ in range(int(seconds) + 1):
            self.patience.failed(LOST)
            self.now += 1.0


def test_a_server_that_comes_back_is_told_of_once_and_again_when_it_is_back() -> None:
    waiting = Waiting()
    waiting.lost_for(500)
    waiting.patience.answered()
    waiting.patience.answered()
    assert waiting.said == [f"{LOST}; asking again for 10 minutes", "http://head:8265 answers again"]
    waiting.lost_for(500)
    assert len(waiting.said) == 3, "its time begins anew"


def test_a_connection_that_is_opened_again_at_once_is_not_told_of() -> None:
    waiting = Waiting()
    for _ in range(1000):
        waiting.lost_for(1)
        waiting.patience.answered()
    assert waiting.said == []


def test_it_ends_with_what_went_wrong() -> None:
    waiting = Waiting()
    waiting.lost_for(600)
    with pytest.raises(ClusterError, match="Connection refused"):
        waiting.patience.failed(LOST)


def test_a_server_that_said_nothing_for_long_because_nothing_happened_has_its_whole_time() -> None:
    """A job that is pending, or trains for an hour, prints nothing: its silence is no loss."""
    waiting = Waiting()
    waiting.patience.answered()
    waiting.now += 3600
    waiting.lost_for(600)
    assert len(waiting.said) == 1
