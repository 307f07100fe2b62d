"""One trial of a search: its row, its epochs, its configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuner.facts.errors import UsageError, relative_to_cwd
from tuner.leaderboard.info import SearchInfo
from tuner.leaderboard.query import top
from tuner.leaderboard.source import epochs_of, leaderboard_of


@dataclass(frozen=True)
class TrialView:
    """What the results say about one trial.

    Attributes:
        info: The search.
        row: Its row of the leaderboard, column name to value.
        epochs: Its rows of epochs.parquet, oldest first.
        ranked: How many trials of the search have a rank.
    """

    info: SearchInfo
    row: Mapping[str, Any]
    epochs: tuple[Mapping[str, Any], ...]
    ranked: int

    @property
    def config(self) -> dict[str, Any]:
        """Return its active hyperparameters in the order of the search file, and its seed."""
        values = {name: self._value(name, dtype) for name, dtype in self.info.hyperparameters.items()}
        values["seed"] = self.row["seed"]
        return {name: value for name, value in values.items() if value is not None}

    def _value(self, name: str, dtype: str) -> Any:
        value = self.row[name]
        return json.loads(value) if dtype == "json" and value is not None else value


def load_trial(folder: Path, number: int) -> TrialView:
    """Return one trial of the search in a folder, as it is now.

    Raises:
        UsageError: The search has no such trial.
        ResultsDamagedError: A file is not what was written.
    """
    source = leaderboard_of(folder)
    condition = f"number == {number}"
    found = top(source, 1, where=condition).table.to_pylist()
    if not found:
        trials = source.file.metadata.num_rows
        raise UsageError(f"{relative_to_cwd(folder)} has no trial {number}; it has {trials} trials, from 0 on")
    epochs = top(epochs_of(folder), 0, where=condition, sort="epoch", descending=False).table.to_pylist()
    rank = source.read(["rank"]).column("rank")
    return TrialView(source.info, found[0], tuple(epochs), len(rank) - rank.null_count)
