"""The epochs of a final training on disk, one line each, so that an interrupted one keeps those that it had."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from tuner.facts.errors import ResultsDamagedError, relative_to_cwd
from tuner.journal.storage import write_atomically
from tuner.training.diagnostics.epoch import Diagnostics
from tuner.training.observed import Observed


class Curve:
    """What was reported, and seen, of each epoch; the loop's ``observe``.

    An epoch that is trained again, because the process died before its checkpoint was written, replaces its line.

    Args:
        file: Continued where it exists; its folder is made.
        diagnostics: Looks at each epoch; None for none.

    Raises:
        ResultsDamagedError: The file is not what was written.
    """

    def __init__(self, file: Path, diagnostics: Diagnostics | None = None) -> None:
        self._file = file
        self._diagnostics = diagnostics
        self._lines: dict[int, dict[str, Any]] = {}
        if file.exists():
            self._read()
        file.parent.mkdir(parents=True, exist_ok=True)

    def __call__(self, observed: Observed) -> None:
        """Take note of an epoch."""
        line: dict[str, Any] = {"report": dict(observed.report)}
        if self._diagnostics is not None:
            line["diagnostics"] = {"epoch": observed.epoch, **self._diagnostics(observed).as_json()}
        text = json.dumps(_finite(line), allow_nan=False)
        self._lines[observed.epoch] = json.loads(text)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())

    @property
    def epochs(self) -> list[dict[str, Any]]:
        """Return the epochs' reports in order; null is a number that was not finite."""
        return self._each("report")

    @property
    def diagnostics(self) -> list[dict[str, Any]]:
        """Return what was seen in each epoch, in order; empty without diagnostics."""
        return self._each("diagnostics")

    def _each(self, part: str) -> list[dict[str, Any]]:
        return [self._lines[epoch][part] for epoch in sorted(self._lines) if part in self._lines[epoch]]

    def _read(self) -> None:
        texts = self._file.read_text(encoding="utf-8").split("\n")[:-1]  # a last line without its end was cut
        try:
            for text in texts:
                line = json.loads(text)
                self._lines[line["report"]["epoch"]] = line
        except (ValueError, KeyError, TypeError) as error:
            raise ResultsDamagedError(f"{relative_to_cwd(self._file)} is damaged") from error
        write_atomically(self._file, "".join(text + "\n" for text in texts).encode())


def _finite(value: Any) -> Any:
    """Return a value for JSON, which has no NaN and no infinity."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
