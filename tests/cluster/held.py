"""Trials that stand still until a test lets them go on, so that what it does meets them where it wants them."""

from __future__ import annotations

from pathlib import Path

from tests.study.searches import TRAINABLE

_REPORT = '            yield {"acc"'


def held(gate: Path, when: str = "epoch >= 3") -> str:
    """Return a trainable whose trials, at the end of an epoch and before they report it, wait for a file.

    Args:
        gate: The file, where every node sees it.
        when: In which epochs: an expression in ``epoch``, from 1, and ``config``.
    """
    assert TRAINABLE.count(_REPORT) == 1
    wait = f"""            while {when} and not pathlib.Path({str(gate)!r}).exists():
                time.sleep(0.05)
"""
    return TRAINABLE.replace(_REPORT, wait + _REPORT)
