"""The first rows of a leaderboard, with and without a condition, against the same question put to pandas."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from tests.leaderboard.logs import demo, write_search
from tuner.facts.errors import UsageError
from tuner.leaderboard import write
from tuner.leaderboard.query import top
from tuner.leaderboard.source import Source, leaderboard_of


@pytest.fixture(scope="module", params=[2, write.ROW_GROUP_SIZE], ids=["many row groups", "one row group"])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Source:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write, "ROW_GROUP_SIZE", request.param)
        folder = write_search(tmp_path_factory.mktemp("results") / "demo", demo())
    opened = leaderboard_of(folder)
    assert opened.file.metadata.num_row_groups == (4 if request.param == 2 else 1)
    return opened


def numbers(source: Source, k: int = 0, **question: object) -> list[int]:
    found: list[int] = top(source, k, **question).table.column("number").to_pylist()  # type: ignore[arg-type]
    return found


def test_the_best_come_first_and_k_bounds_them(source: Source) -> None:
    assert numbers(source) == [1, 0, 2, 3, 4, 5, 6]
    assert numbers(source, 3) == [1, 0, 2]
    assert numbers(source, 100) == [1, 0, 2, 3, 4, 5, 6]
    assert top(source, 2).matching == 7


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("lr > 0.01", [0, 2, 6]),
        ("0.01 < lr", [0, 2, 6]),
        ("lr == 0.1 or optimizer == 'sgd'", [1, 0]),
        ("optimizer != 'sgd' and score > 0.3", [0, 2]),
        ("state in ['failed', 'diverged']", [3, 4]),
        ("state not in ['completed', 'stopped', 'failed']", [3, 5, 6]),
        ("flip", [1, 0, 2, 3, 4, 5, 6]),
        ("not flip", []),
        ("flip == false", []),
        ("lr * batch_size > 5 and number < 6", [0]),
        ("epochs_run / epochs >= 1", [0]),
        ("-lr < -0.05", [0, 6]),
        ("0.01 < lr < 0.2", [0, 2]),
        # A missing value: unknown, and no row for which the answer is unknown.
        ("momentum > 0.5", [1]),
        ("momentum != 0.5", [1]),
        ("not momentum > 0.5", []),
        ("momentum == null", [0, 2, 3, 4, 5, 6]),
        ("momentum != null", [1]),
        ("null == momentum and lr > 0.2", [6]),
        ("rank in [null, 1] and lr < 0.02", [1, 3, 4, 5]),
        ("momentum < null", []),
        ("momentum > 0.5 or lr > 0.2", [1, 6]),
        # JSON text, times, numbers beyond 64 bits, a division by zero.
        ("milestones == 'none'", [0]),
        ("milestones != 'none' and rank == 1", [1]),
        ("started_at >= '2026-01-31T18:08:22'", [5, 6]),
        ("'2026-02-01' > started_at and rank == 2", [0]),
        ("number < 99999999999999999999 and rank < 2", [1]),
        ("1 / (number - 1) > 0.4 and number < 4", [2, 3]),
        ("not 1 / (number - 1) > 0.4 and number < 2", [0]),
        ("true", [1, 0, 2, 3, 4, 5, 6]),
        ("1 < 0", []),
    ],
)
def test_conditions(source: Source, condition: str, expected: list[int]) -> None:
    assert numbers(source, where=condition) == expected
    assert top(source, 1, where=condition).matching == len(expected)


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        ("lrr > 1", "no column 'lrr'; did you mean 'lr'"),
        ("lr > 'x'", "compares number with text"),
        ("state == 1", "compares text with number"),
        ("flip == 1", "compares true or false with number"),
        ("lr", "'lr' is number, neither true nor false"),
        ("state * 2 > 1", "arithmetic needs numbers, and 'state' is text"),
        ("milestones < 'none'", "needs an order"),
        ("started_at > 'yesterday'", "is no time"),
        ("lr >", "--where 'lr >'"),
        ("@pd.io.common.os.system('true')", "cannot read"),
    ],
)
def test_a_condition_that_makes_no_sense_is_one_sentence(source: Source, condition: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        top(source, 0, where=condition)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_sorting_takes_the_better_end_first_and_missing_values_last(source: Source) -> None:
    assert numbers(source, sort="score") == [1, 0, 2, 6, 3, 4, 5]
    assert numbers(source, sort="score", descending=False) == [6, 2, 0, 1, 3, 4, 5]
    assert numbers(source, 2, sort="val_loss") == [1, 0]
    assert numbers(source, 2, sort="number", descending=True, where="rank == null") == [6, 5]
    with pytest.raises(UsageError, match="did you mean 'score'"):
        top(source, 1, sort="scor")


def test_every_column_comes_back_as_pandas_reads_it(source: Source) -> None:
    frame = top(source, 4).table.to_pandas()
    pd.testing.assert_frame_equal(frame, pd.read_parquet(source.path).head(4))


def test_an_empty_leaderboard_has_no_first_rows(tmp_path: Path) -> None:
    empty = leaderboard_of(write_search(tmp_path / "demo", demo()[:1]))
    assert top(empty, 10).table.num_rows == 0
    assert top(empty, 10, where="lr > 0.1", sort="lr").table.num_rows == 0
    assert isinstance(top(empty, 0).table, pa.Table)
