"""results/README.md says what the code writes; the fixed columns of both files are frozen here."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.leaderboard.logs import NOON, demo, trial, write_search
from tuner.facts.records import EPOCH_COLUMNS, LEADERBOARD_COLUMNS, RESERVED_NAMES, Goal, State
from tuner.journal.events import Open
from tuner.leaderboard.document import up_to_date
from tuner.leaderboard.info import SearchInfo

README = Path(__file__).parent.parent / "results" / "README.md"
TEXT = README.read_text(encoding="utf-8")


def test_the_tables_of_columns_are_those_of_the_code() -> None:
    assert up_to_date(TEXT) == TEXT, "run: python -m tuner.leaderboard.document results/README.md"


def test_every_column_is_on_the_page() -> None:
    for column in (*LEADERBOARD_COLUMNS, *EPOCH_COLUMNS):
        assert f"| `{column.name}` | {column.dtype} |" in TEXT


def test_every_state_is_on_the_page() -> None:
    section = TEXT[TEXT.index("### States") : TEXT.index("## epochs.parquet")]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == [str(state) for state in State]


def test_the_fixed_columns_are_frozen() -> None:
    assert [column.name for column in LEADERBOARD_COLUMNS] == [
        *("search", "trial_id", "number", "rank", "state", "stop_reason", "score", "val_accuracy", "val_loss"),
        *("train_accuracy", "train_loss", "generalization_gap", "best_epoch", "epochs_run", "train_seconds"),
        *("overhead_seconds", "images_per_second", "peak_memory_mb", "parameter_count", "seed", "origin", "attempts"),
        *("pareto_rank", "node", "device", "started_at", "finished_at", "checkpoint", "error", "config_hash"),
    ]
    assert [column.name for column in EPOCH_COLUMNS] == [
        *("search", "trial_id", "number", "epoch", "attempt", "score", "lr_now", "train_loss", "train_accuracy"),
        *("val_loss", "val_accuracy", "generalization_gap", "objective", "grad_norm", "clip_share"),
        *("images_per_second", "epoch_seconds", "reported_at"),
    ]
    assert "seed" not in RESERVED_NAMES


def test_the_metadata_that_the_page_promises(tmp_path: Path) -> None:
    schema = pq.read_schema(write_search(tmp_path / "demo", demo()) / "leaderboard.parquet")
    description = json.loads(schema.metadata[b"tuner"])
    assert description["search"] == "demo"
    assert description["metric"] == {"name": "val_accuracy", "goal": "maximize"}
    for column in LEADERBOARD_COLUMNS:
        metadata = schema.field(column.name).metadata
        assert metadata[b"meaning"].decode() == column.meaning
        assert metadata.get(b"unit", b"").decode() == column.unit


def test_the_python_on_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hyperparameters = {"mixup_alpha": "float64", "schedule": "string"}
    info = SearchInfo("cifar10", "val_accuracy", Goal.MAXIMIZE, hyperparameters)
    trials = [trial(n, [0.1 * n, 0.5], mixup_alpha=0.1 * n, schedule="cosine") for n in range(5)]
    events = [Open(at=NOON, slots=1, trials=5), *(event for events in trials for event in events)]
    write_search(tmp_path / "results" / "cifar10", events, info)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL):
        exec(block, names)
    assert isinstance(names["df"], pd.DataFrame)
    assert len(names["df"]) == 5


def test_what_is_published_can_be_read_with_pandas_alone() -> None:
    folders = sorted((README.parent / "published").glob("*/"))
    assert "cifar10-cpu" in {folder.name for folder in folders}
    for folder in folders:
        frame = pd.read_parquet(folder / "leaderboard.parquet")
        assert list(frame.columns)[: len(LEADERBOARD_COLUMNS)] == [column.name for column in LEADERBOARD_COLUMNS]
        assert set(frame["state"]) <= {str(state) for state in State if state.finished}
        assert (folder / "search.json").exists()
        assert (folder / "epochs.parquet").exists()
        assert not (folder / "events.jsonl").exists()
