"""How many trials a cluster has room for: looked up again and again, since nodes come and go."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable
from typing import Any

from tuner.facts.errors import ClusterError, UsageError
from tuner.facts.words import counted
from tuner.space.searchfile import Resources
from tuner.study.resources import Machine, machines, slots

#: An autoscaler is given so long to bring, and a cluster so long to bring back, a node that one trial fits on.
PATIENCE_SECONDS = 900.0
_PATIENCE = f"{PATIENCE_SECONDS / 60:g} minutes"

#: What Ray calls the type of a node that no autoscaler started.
_BY_HAND = re.compile(r"node_[0-9a-f]{56}|local\.cluster\.node")


class ClusterRoom:
    """Says how many trials may be under way, those that wait for a node of the autoscaler included."""

    def __init__(
        self,
        wanted: Resources,
        notice: Callable[[str], None],
        *,
        nodes: Callable[[], tuple[Machine, ...]] = machines,
        autoscaled: Callable[[], bool] | None = None,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        """Args: wanted: what a trial takes. notice: told when it changes. The others are for tests."""
        self._wanted = wanted
        self._notice = notice
        self._nodes = nodes
        self._autoscaled = autoscaled or is_autoscaled
        self._timer = timer
        self._lacking_since: float | None = None
        self._last: tuple[int, bool] | None = None

    def __call__(self) -> int:
        """Return the number as it is now, at least 1 while there is hope.

        Raises:
            UsageError: At first: no node has what a trial asks for, and there is no autoscaler.
            ClusterError: For a quarter of an hour no node has had it.
        """
        number = self._look()
        lacking = self._lacking_since is not None
        if self._last is not None and (number, lacking) != self._last:
            if lacking:
                self._notice(f"no node has room for a trial; waiting up to {_PATIENCE} for one")
            else:
                self._notice(f"{counted(number, 'trial')} side by side, for the cluster has changed")
        self._last = number, lacking
        return number

    def _look(self) -> int:
        growing = self._autoscaled()
        try:
            fitting = slots(self._nodes(), self._wanted)
        except UsageError as error:
            if self._last is None and not growing:
                raise
            now = self._timer()
            if self._lacking_since is None:
                self._lacking_since = now
            if now - self._lacking_since > PATIENCE_SECONDS:
                raise ClusterError(f"{error}; none came in {_PATIENCE}; go on with --resume") from error
            fitting = 1
        else:
            self._lacking_since = None
        return self._with_waiting(fitting) if growing else fitting

    def _with_waiting(self, fitting: int) -> int:
        """Return how many trials an autoscaler is shown: it adds nodes only for what waits.

        Ray does not tell how far it would grow. Without ``max_concurrent`` a few more than fit wait all the time.
        """
        return self._wanted.max_concurrent or fitting + math.ceil(fitting / 4)


def is_autoscaled() -> bool:
    """Return whether an autoscaler adds nodes to the cluster, as far as Ray tells."""
    from ray.experimental.internal_kv import _internal_kv_get

    if _internal_kv_get("__autoscaler_v2_enabled", namespace="__autoscaler") == b"1":
        return True
    said = _internal_kv_get("__autoscaling_status")
    report: dict[str, Any] = (json.loads(said).get("autoscaler_report") if said else None) or {}
    return any(_BY_HAND.fullmatch(kind) is None for kind in report.get("active_nodes") or {})
