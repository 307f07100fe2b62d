"""One trial of a search: its row, its epochs, its configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuner.facts.errors import UsageError, relative_to_cwd
from tuner.journal.links import regular_file
from tuner.leaderboard.info import SearchInfo
from tuner.leaderboard.query import top
from tuner.leaderboard.source import SETTINGS_FILE, epochs_of, leaderboard_of
from tuner.space.domains import Constant
from tuner.space.parameters import Alternative


@dataclass(frozen=True)
class TrialView:
    """What the results say about one trial.

    Attributes:
        info: The search.
        row: Its row of the leaderboard, column name to value.
        epochs: Its rows of epochs.parquet, oldest first.
        ranked: How many trials of the search have a rank.
        other_runs: Number to state of the other trials with its configuration.
        alternatives: Name of each hyperparameter to the conditions under which it is active; empty where the search
            does not say. A row holds null where a hyperparameter is inactive and where null was drawn.
    """

    info: SearchInfo
    row: Mapping[str, Any]
    epochs: tuple[Mapping[str, Any], ...]
    ranked: int
    other_runs: Mapping[int, str]
    alternatives: Mapping[str, tuple[Alternative, ...]]

    @property
    def config(self) -> dict[str, Any]:
        """Return its active hyperparameters in the order of the search file, null where that was drawn, and its seed.

        A null stays out where the search does not say what is active.
        """
        values: dict[str, Any] = {}
        for name, dtype in self.info.hyperparameters.items():  # parents stand before their children
            value = self._value(name, dtype)
            if value is not None or any(item.holds(values) for item in self.alternatives.get(name, ())):
                values[name] = value
        return values if self.row["seed"] is None else {**values, "seed": self.row["seed"]}

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
    same = top(source, 0, where=f"config_hash == '{found[0]['config_hash']}'", sort="number", descending=False)
    others = {row["number"]: row["state"] for row in same.table.to_pylist() if row["number"] != number}
    return TrialView(source.info, found[0], tuple(epochs), len(rank) - rank.null_count, others, _alternatives(folder))


def ranked_configs(folder: Path) -> tuple[SearchInfo, list[dict[str, Any]]]:
    """Return the search in a folder, and the configurations of its completed trials as they are now, the best first.

    A seed is among the values where it is a hyperparameter; raises as ``leaderboard_of`` does.
    """
    source = leaderboard_of(folder)
    table = source.read(["rank", "seed", *(name for name in source.info.hyperparameters if name != "seed")])
    rows = sorted((row for row in table.to_pylist() if row["rank"] is not None), key=lambda row: int(row["rank"]))
    alternatives = _alternatives(folder)
    configs = (TrialView(source.info, row, (), len(rows), {}, alternatives).config for row in rows)
    return source.info, [
        {name: value for name, value in config.items() if name in source.info.hyperparameters} for config in configs
    ]


def _alternatives(folder: Path) -> dict[str, tuple[Alternative, ...]]:
    """Return the alternatives of each parameter in search.json, conditions alone."""
    try:
        parameters = json.loads(regular_file(folder / SETTINGS_FILE).read_bytes())["settings"]["parameters"]
        return {name: tuple(map(_condition, items)) for name, items in parameters.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _condition(item: Mapping[str, Any]) -> Alternative:
    return Alternative(Constant(None), {parent: tuple(values) for parent, values in item["when"].items()})
