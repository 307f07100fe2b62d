"""The test split, read once everything is chosen.

A module of its own, so that a test can hold that nothing which chooses (search, study, training) imports it.
"""

from __future__ import annotations

from tuner.datasets.contents import Images, Labels
from tuner.datasets.prepared import PreparedData, load_split
from tuner.facts.errors import UsageError


def load_test(data: PreparedData) -> tuple[Images, Labels]:
    """Return the test split: images uint8 [N, C, H, W] and labels int64 [N], mapped copy-on-write.

    Raises:
        UsageError: The data set has no test split.
    """
    if data.test_count == 0:
        raise UsageError("this data set has no test split")
    return load_split(data.folder, "test")
