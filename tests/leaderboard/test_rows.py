"""What a row of leaderboard.parquet says, read as people read it: with pandas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.leaderboard.logs import INFO, NOON, config, demo, trial, write_search
from tuner.facts.configs import config_hash
from tuner.facts.records import EPOCH_COLUMNS, LEADERBOARD_COLUMNS, Goal, State
from tuner.journal.events import Ask, Open, Retry, Start
from tuner.journal.history import History, Trial
from tuner.journal.log import read_events
from tuner.journal.ranking import Ranking
from tuner.leaderboard.epochs import epochs_table, epochs_tables
from tuner.leaderboard.info import SearchInfo
from tuner.leaderboard.row import row_of
from tuner.leaderboard.rows import EndedRows, leaderboard_table


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_search(tmp_path_factory.mktemp("results") / "demo", demo())


@pytest.fixture(scope="module")
def frame(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "leaderboard.parquet")


def row(frame: pd.DataFrame, number: int) -> pd.Series:
    return frame.set_index("number").loc[number]


def test_the_column_set_is_frozen(frame: pd.DataFrame) -> None:
    assert list(frame.columns) == [
        *("search", "trial_id", "number", "rank", "state", "stop_reason", "score", "val_accuracy", "val_loss"),
        *("train_accuracy", "train_loss", "generalization_gap", "best_epoch", "epochs_run", "train_seconds"),
        *("overhead_seconds", "images_per_second", "peak_memory_mb", "parameter_count", "seed", "origin", "attempts"),
        *("pareto_rank", "node", "device", "started_at", "finished_at", "checkpoint", "error", "config_hash"),
        *("model", "optimizer", "lr", "momentum", "batch_size", "flip", "milestones", "epochs"),
    ]


def test_types_survive_pandas_even_where_a_column_is_empty(frame: pd.DataFrame, folder: Path) -> None:
    as_pandas = {"timestamp": "datetime64[us, UTC]"}
    for columns, table in ((LEADERBOARD_COLUMNS, frame), (EPOCH_COLUMNS, pd.read_parquet(folder / "epochs.parquet"))):
        for column in columns:
            assert str(table[column.name].dtype) == as_pandas.get(column.dtype, column.dtype), column.name
    expected = {"lr": "float64", "batch_size": "Int64", "flip": "boolean", "model": "string", "milestones": "string"}
    assert {name: str(frame[name].dtype) for name in expected} == expected
    assert frame["pareto_rank"].isna().all()


def test_ranked_then_stopped_then_the_others(frame: pd.DataFrame) -> None:
    assert list(frame["number"]) == [1, 0, 2, 3, 4, 5, 6]
    assert list(frame["rank"].dropna()) == [1, 2]
    assert list(frame["state"]) == [
        *("completed", "completed", "stopped", "diverged", "failed", "out_of_memory", "interrupted"),
    ]


def test_metrics_are_those_of_the_best_epoch(frame: pd.DataFrame) -> None:
    best = row(frame, 0)
    assert (best["score"], best["val_accuracy"], best["best_epoch"], best["epochs_run"]) == (0.7, 0.7, 2, 3)
    assert best["val_loss"] == pytest.approx(0.3)


@pytest.mark.parametrize("number", [3, 4, 5])
def test_a_trial_that_went_wrong_has_neither_score_nor_metrics(frame: pd.DataFrame, number: int) -> None:
    wrong = row(frame, number)
    names = ["rank", "score", "val_accuracy", "val_loss", "train_loss", "best_epoch"]
    assert wrong[names].isna().all()
    assert wrong["epochs_run"] == (0 if number == 4 else 1)
    assert wrong["stop_reason"] is not pd.NA


def test_a_stopped_trial_has_a_score_and_no_rank(frame: pd.DataFrame) -> None:
    stopped = row(frame, 2)
    assert stopped["score"] == 0.4
    assert stopped["rank"] is pd.NA


def test_times_speed_and_memory(frame: pd.DataFrame) -> None:
    best = row(frame, 0)
    assert best["train_seconds"] == 30
    assert best["overhead_seconds"] == 3
    assert best["images_per_second"] == 200
    assert best["peak_memory_mb"] == 203
    assert best["parameter_count"] == 1000
    assert best["started_at"] == pd.Timestamp(NOON + 2, unit="s", tz="UTC")
    assert best["finished_at"] == pd.Timestamp(NOON + 33, unit="s", tz="UTC")
    assert row(frame, 6)["finished_at"] is pd.NaT


def test_nodes_are_numbered_in_the_order_of_the_log(frame: pd.DataFrame) -> None:
    assert row(frame, 0)["node"] == "node-1"
    assert row(frame, 2)["node"] == "node-2"


def test_checkpoints_are_the_kept_ones_and_the_last_of_a_living_trial(frame: pd.DataFrame) -> None:
    assert row(frame, 1)["checkpoint"] == "checkpoints/1/epoch-2"
    assert row(frame, 0)["checkpoint"] is pd.NA
    assert row(frame, 6)["checkpoint"] == "checkpoints/6/epoch-1"


def test_hyperparameters_keep_their_kinds_and_null_means_inactive(frame: pd.DataFrame) -> None:
    best = row(frame, 1)
    assert (best["momentum"], best["batch_size"], best["seed"]) == (0.9, 256, 7)
    assert best["flip"] is True or best["flip"] == True  # noqa: E712 - pandas hands out numpy's bool
    assert pd.isna(row(frame, 0)["momentum"])
    assert best["milestones"] == "[1, 2]"
    assert row(frame, 0)["milestones"] == '"none"'


def test_equal_configurations_have_equal_hashes_whatever_their_seed() -> None:
    assert config_hash(config(seed=1)) == config_hash(dict(reversed(config(seed=2).items())))
    assert config_hash(config()) != config_hash(config(lr=0.011))
    assert len(config_hash({})) == 12


def test_a_missing_value_is_null_in_the_file_and_never_nan(folder: Path) -> None:
    table = pq.read_table(folder / "leaderboard.parquet")
    for name in table.schema.names:
        assert not any(value != value for value in table.column(name).to_pylist()), name  # noqa: PLR0124 - NaN


def test_units_meanings_and_goal_are_in_the_metadata(folder: Path) -> None:
    schema = pq.read_schema(folder / "leaderboard.parquet")
    assert schema.field("train_seconds").metadata[b"unit"] == b"seconds"
    assert b"best_epoch" in schema.field("score").metadata[b"meaning"]
    assert b'"goal": "maximize"' in schema.metadata[b"tuner"]


def test_epochs_hold_every_report_once(folder: Path) -> None:
    epochs = pd.read_parquet(folder / "epochs.parquet")
    assert list(zip(epochs["number"], epochs["epoch"], strict=True))[:5] == [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2)]
    assert epochs["score"].tolist()[:3] == [0.5, 0.7, 0.6]
    assert epochs["val_accuracy"].tolist() == epochs["score"].tolist()
    assert epochs["epoch_seconds"].eq(10).all()


def test_a_smaller_metric_ranks_first_and_ties_go_by_number(tmp_path: Path) -> None:
    info = SearchInfo("mine", "cost", Goal.MINIMIZE, {"lr": "float64"})
    events = [
        Open(at=NOON, slots=1, trials=3),
        *trial(0, [3.0, 2.0], metrics={"f1": 0.1}),
        *trial(1, [1.0, 1.5], metrics={"f1": 0.2}),
        *trial(2, [2.0]),
    ]
    frame = pd.read_parquet(write_search(tmp_path / "mine", events, info) / "leaderboard.parquet")
    assert list(frame["number"]) == [1, 0, 2]
    assert frame["metric_cost"].tolist() == frame["score"].tolist() == [1.0, 2.0, 2.0]
    assert frame["metric_f1"].tolist()[:2] == [0.2, 0.1]
    assert frame["best_epoch"].tolist() == [1, 2, 1]
    assert list(frame.columns)[len(LEADERBOARD_COLUMNS) :] == ["metric_cost", "metric_f1", "lr"]


def test_a_configuration_of_which_a_run_diverged_ranks_last(tmp_path: Path) -> None:
    runs = [*trial(0, [0.9], lr=0.5, seed=1), *trial(1, [0.6]), *trial(2, [], State.DIVERGED, lr=0.5, seed=2)]
    folder = write_search(tmp_path / "search", [*runs, *trial(3, [0.7], State.STOPPED), *trial(4, [0.5], lr=0.2)])
    frame = pd.read_parquet(folder / "leaderboard.parquet")
    assert frame["number"].tolist() == [1, 4, 0, 3, 2]
    assert frame["rank"].dropna().tolist() == [1, 2, 3]
    ranking = Ranking(Goal.MAXIMIZE, History(read_events(folder)).trials.values())
    assert [place.number for place in ranking.first()] == [1, 4, 0], "as the driver and confirm see it"


def test_attempts_are_counted_and_the_last_node_shown(tmp_path: Path) -> None:
    events = [
        Open(at=NOON, slots=1, trials=1),
        *list(trial(0, [0.1], None))[:3],
        Retry(at=NOON + 20, n=0, attempt=2, reason="lost", lost=True),
        *list(trial(0, [0.1, 0.2], State.COMPLETED, attempt=2, node="beta"))[1:],
    ]
    frame = pd.read_parquet(write_search(tmp_path / "demo", events) / "leaderboard.parquet")
    assert frame.loc[0, "attempts"] == 2
    assert frame.loc[0, "node"] == "node-2"
    assert frame.loc[0, "epochs_run"] == 2
    assert frame.loc[0, "train_seconds"] == 20


def test_a_search_without_trials_has_typed_columns(tmp_path: Path) -> None:
    folder = write_search(tmp_path / "demo", [Open(at=NOON, slots=1, trials=1)])
    frame = pd.read_parquet(folder / "leaderboard.parquet")
    assert len(frame) == 0
    assert str(frame["rank"].dtype) == "Int64"


def test_running_while_a_driver_lives(tmp_path: Path) -> None:
    events = [Open(at=NOON, slots=1, trials=1), *list(trial(0, [], None))]
    assert isinstance(events[1], Ask)
    assert isinstance(events[2], Start)
    frame = pd.read_parquet(write_search(tmp_path / "demo", events, live=True) / "leaderboard.parquet")
    assert list(frame["state"]) == ["running"]
    assert INFO.name == frame.loc[0, "search"]


def test_tables_that_grow_with_a_search_are_those_made_at_once() -> None:
    events = [*demo(), *trial(7, [0.1, 0.3], metrics={"extra": 1.0}), *trial(8, [0.2], state=None)]
    ended = EndedRows()
    for count in range(1, len(events) + 1):
        history = History(events[:count])
        kept = {number: f"checkpoints/{number}/a1-e1" for number in range(count % 3)}
        grown = leaderboard_table(history, INFO, live=True, kept=kept, ended=ended)
        assert grown.equals(leaderboard_table(history, INFO, live=True, kept=kept), check_metadata=True)


def test_trials_that_report_different_numbers_share_the_table_of_epochs(tmp_path: Path) -> None:
    other = trial(1, [0.2], None, metrics={"extra": 1.5, "epoch_seconds": 0.0, "images_per_second": None})
    events = [Open(at=NOON, slots=1, trials=2), *trial(0, [0.1, 0.3], metrics={"epoch_seconds": 9.5}), *other]
    frame = pd.read_parquet(write_search(tmp_path / "demo", events) / "epochs.parquet")
    assert list(zip(frame["trial_id"], frame["epoch"], frame["attempt"], frame["score"], strict=True)) == [
        *(("demo-0", 1, 1, 0.1), ("demo-0", 2, 1, 0.3), ("demo-1", 1, 1, 0.2)),
    ]
    assert list(frame["val_accuracy"]) == list(frame["score"]) and list(frame["val_loss"]) == [0.9, 0.7, 0.8]
    assert list(frame["epoch_seconds"]) == [9.5, 9.5, 10.0], "what was reported, otherwise what was measured"
    assert frame["metric_extra"].isna().tolist() == [True, True, False]
    assert frame["images_per_second"].isna().tolist() == [False, False, True]
    assert frame["lr_now"].isna().all()
    assert frame.loc[1, "reported_at"] == pd.Timestamp(NOON + 22, unit="s", tz="UTC")


@pytest.mark.parametrize("trials", [1, 2, 7, 100])
def test_epochs_in_parts_are_those_of_the_whole(trials: int) -> None:
    history = History([*demo(), *trial(7, [0.1, 0.3], metrics={"extra": 1.0})])
    parts = list(epochs_tables(history, INFO, trials))
    assert len(parts) == -(-8 // trials)
    assert pa.concat_tables(parts).equals(epochs_table(history, INFO), check_metadata=True)
    assert epochs_table(history, INFO)["number"].to_pylist() == [0, 0, 0, 1, 1, 2, 3, 5, 6, 7, 7]
    assert len(epochs_table(History(), INFO)) == 0


def test_the_row_of_a_trial_that_has_ended_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def noted(ended: Trial, *arguments: Any, **options: Any) -> dict[str, Any]:
        made.append(ended.number)
        return row_of(ended, *arguments, **options)

    monkeypatch.setattr("tuner.leaderboard.rows.row_of", noted)
    history, rows = History(demo()), EndedRows()
    for _ in range(3):
        leaderboard_table(history, INFO, live=True, ended=rows)
    assert sorted(made) == [0, 1, 2, 3, 4, 5, 6, 6, 6]
