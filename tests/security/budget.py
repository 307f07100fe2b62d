"""How many examples a fuzz test tries: few each time, more where ``TUNER_FUZZ`` multiplies them."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

#: ``TUNER_FUZZ=100 pytest tests/security`` looks a hundred times longer.
TIMES = int(os.environ.get("TUNER_FUZZ", "1"))


def effort(examples: int) -> settings:
    """Return settings for so many examples; how fast the machine is decides nothing."""
    return settings(
        max_examples=examples * TIMES,
        deadline=None,
        derandomize=TIMES == 1,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
