"""The ten best of a leaderboard of a million trials: seconds inside the process, imports apart, and peak memory.

    python benchmarks/leaderboard.py [--trials 1000000] [--rounds 5]

Writes such a leaderboard block by block with the program's own schema and writer into a temporary folder. Each query
runs in a fresh process, rounds are interleaved, and beside the program's own reading stands pandas reading the whole
file. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from common import cpu, versions

from tuner.facts.records import Goal
from tuner.leaderboard.info import SearchInfo
from tuner.leaderboard.query import top
from tuner.leaderboard.schema import FORMAT_VERSION, arrow_schema, leaderboard_columns
from tuner.leaderboard.source import leaderboard_of
from tuner.leaderboard.write import LEADERBOARD_FILE, ROW_GROUP_SIZE, parquet_writer

INFO = SearchInfo(
    "million",
    "val_accuracy",
    Goal.MAXIMIZE,
    {
        **dict.fromkeys(("model", "optimizer", "schedule"), "string"),
        **dict.fromkeys(("lr", "momentum", "weight_decay", "dropout", "mixup_alpha", "label_smoothing"), "float64"),
        **dict.fromkeys(("batch_size", "epochs"), "Int64"),
        "flip": "boolean",
    },
)
WHERE = "mixup_alpha > 0.9 and optimizer == 'sgd' and state == 'completed'"


def program(folder: Path) -> list[int]:
    """Ask the program."""
    return numbers(top(leaderboard_of(folder), 10).table)


def program_where(folder: Path) -> list[int]:
    """Ask the program with a condition on three columns."""
    return numbers(top(leaderboard_of(folder), 10, where=WHERE).table)


def program_sort(folder: Path) -> list[int]:
    """Ask the program for another order than the file's."""
    return numbers(top(leaderboard_of(folder), 10, sort="train_seconds").table)


def pandas_whole(folder: Path) -> list[int]:
    """Read everything with pandas, then take the best."""
    frame = pd.read_parquet(folder / LEADERBOARD_FILE)
    return [int(number) for number in frame.nlargest(10, "score")["number"]]


QUERIES: dict[str, Callable[[Path], list[int]]] = {
    "top": program,
    "top_where": program_where,
    "top_sort": program_sort,
    "pandas_whole": pandas_whole,
}


def numbers(table: Any) -> list[int]:
    found: list[int] = [row["number"] for row in table.to_pylist()]
    assert len(found) == 10
    return found


def write_leaderboard(folder: Path, trials: int) -> None:
    columns = leaderboard_columns(INFO, [])
    description = {"version": FORMAT_VERSION, **INFO.to_json(), "live": False, "log_bytes": 0}
    schema = arrow_schema(columns, description)
    with parquet_writer(folder / LEADERBOARD_FILE, schema) as writer:
        for block in blocks(trials, schema):
            writer.write_table(block, row_group_size=ROW_GROUP_SIZE)


def blocks(trials: int, schema: Any) -> Iterator[Any]:
    """Yield the rows in the order of a leaderboard: two completed trials to each that was stopped."""
    random = np.random.default_rng(0)
    order = random.permutation(trials)
    completed = trials * 2 // 3
    for start in range(0, trials, ROW_GROUP_SIZE):
        place = np.arange(start, min(start + ROW_GROUP_SIZE, trials))
        yield pa.table([column(field, place, order, completed, random) for field in schema], schema=schema)


def column(field: Any, place: Any, order: Any, completed: int, random: np.random.Generator) -> Any:
    size, ranked = len(place), place < completed
    score = np.where(ranked, 0.95 - 0.5 * place / completed, 0.6 - 0.4 * (place - completed) / len(order))
    special: dict[str, Callable[[], Any]] = {
        "number": lambda: pa.array(order[place]),
        "trial_id": lambda: pa.array([f"million-{number}" for number in order[place]]),
        "rank": lambda: pa.array(place + 1, mask=~ranked),
        "state": lambda: pa.array(np.where(ranked, "completed", "stopped"), pa.string()),
        "score": lambda: pa.array(score),
        "val_accuracy": lambda: pa.array(score),
        "pareto_rank": lambda: pa.nulls(size, pa.int64()),
        "error": lambda: pa.nulls(size, pa.string()),
        "checkpoint": lambda: pa.nulls(size, pa.string()),
        "config_hash": lambda: pa.array([f"{value:012x}" for value in random.integers(0, 2**48, size)]),
        "optimizer": lambda: pa.array(random.choice(["sgd", "adamw"], size), pa.string()),
    }
    if field.name in special:
        return special[field.name]()
    if pa.types.is_string(field.type):
        return pa.array(random.choice([f"{field.name}-{index}" for index in range(4)], size), pa.string())
    if pa.types.is_timestamp(field.type):
        return pa.array(1_769_882_400_000_000 + order[place]).cast(field.type)
    if pa.types.is_boolean(field.type):
        return pa.array(random.random(size) < 0.5)
    if pa.types.is_integer(field.type):
        return pa.array(random.integers(1, 512, size))
    return pa.array(random.random(size))


def measured(query: str, folder: Path) -> dict[str, Any]:
    """Run one query in a fresh process."""
    command = [sys.executable, __file__, "--query", query, "--folder", str(folder)]
    answer: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return answer


def answer(query: str, folder: Path) -> None:
    began = time.perf_counter()
    found = QUERIES[query](folder)
    seconds = time.perf_counter() - began
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak_mb, "numbers": found}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--query", choices=QUERIES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.query is not None:
        answer(args.query, args.folder)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_leaderboard(folder, args.trials)
        size = (folder / LEADERBOARD_FILE).stat().st_size
        rounds = [{query: measured(query, folder) for query in QUERIES} for _ in range(args.rounds)]
    assert rounds[0]["top"]["numbers"] == rounds[0]["pandas_whole"]["numbers"]
    result = {
        query: {
            "seconds": round(median(item[query]["seconds"] for item in rounds), 4),
            "peak_mb": round(max(item[query]["peak_mb"] for item in rounds)),
        }
        for query in QUERIES
    }
    print(
        json.dumps(
            {
                "benchmark": "leaderboard",
                "trials": args.trials,
                "rounds": args.rounds,
                "file_mb": round(size / 1e6),
                "where": WHERE,
                **result,
                "cpu": cpu(),
                "versions": versions("pyarrow", "pandas"),
            }
        )
    )


if __name__ == "__main__":
    main()
