"""Whether the Ray that a search runs on still lives."""

from __future__ import annotations

import os
import sys
import threading

import ray

from tuner.facts.errors import ExitCode

#: How often Ray itself is looked after, and how long it may take to answer. Ray ends a process that has not reached its
#: control store for 60 seconds, without another word.
_LOOK_SECONDS = 5.0
_ANSWER_SECONDS = 30.0
#: What people are told.
DIED = "Ray died while the search ran; go on with --resume"


class Pulse:
    """Asks Ray every few seconds whether any node lives; beside the search, since a Ray that died may never answer.

    Attributes:
        beats: How often it has answered.
    """

    def __init__(self) -> None:
        self.beats = 0
        self._alive = True
        self._silence = 0  # seconds, counted one by one: those that this process was stopped for are not Ray's
        self._left = threading.Event()

    @property
    def felt(self) -> bool:
        """Whether Ray lives, as far as is known."""
        return self._alive and self._silence < _ANSWER_SECONDS

    def _ask(self) -> None:
        while not self._left.wait(_LOOK_SECONDS):
            try:
                self._alive = any(node["Alive"] for node in ray.nodes())
            except Exception:  # whatever it is, Ray does not answer
                self._alive = False
            self._silence = 0
            self.beats += 1

    def _guard(self) -> None:
        """End the process where the search waits for Ray inside of Ray: it would be ended a little later anyway."""
        while not self._left.wait(1.0):
            self._silence += 1
            if self._silence > 1.5 * _ANSWER_SECONDS:
                sys.stderr.write(f"tuner: error: {DIED}\n")
                os._exit(ExitCode.CLUSTER)

    def __enter__(self) -> None:
        for work in (self._ask, self._guard):
            threading.Thread(target=work, name="pulse", daemon=True).start()

    def __exit__(self, *error: object) -> None:
        self._left.set()
