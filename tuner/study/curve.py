"""The epochs of a final training on disk, one line each, so that an interrupted one keeps those that it had."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuner.journal.storage import write_atomically
from tuner.training.observed import Observed


class Curve:
    """What was reported of each epoch; the loop's ``observe``.

    An epoch that is trained again, because the process died before its checkpoint was written, replaces its line.
    """

    def __init__(self, file: Path) -> None:
        """Args: file: continued where it exists; its folder is made."""
        self._file = file
        self._rows: dict[int, dict[str, Any]] = {}
        if file.exists():
            self._read()
        file.parent.mkdir(parents=True, exist_ok=True)

    def __call__(self, observed: Observed) -> None:
        """Take note of an epoch."""
        row = _finite(observed.report)
        self._rows[observed.epoch] = row
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, allow_nan=False) + "\n")
            file.flush()
            os.fsync(file.fileno())

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Return the epochs' reports in order."""
        return [self._rows[epoch] for epoch in sorted(self._rows)]

    def _read(self) -> None:
        for line in self._file.read_text(encoding="utf-8").split("\n")[:-1]:  # a last line without its end was cut
            row = json.loads(line)
            self._rows[row["epoch"]] = row
        write_atomically(self._file, "".join(json.dumps(row) + "\n" for row in self.rows).encode())


def _finite(report: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in report.items()}
