"""Makes the replay pool: random configurations of ``space.yaml``, two seeds each, with whole curves.

    python benchmarks/pool/make.py --dataset parquet --root path/to/cifar10

Trains for some hours on two cores and goes on where it was interrupted: the pool is replaced as a whole after each run.
Configuration by configuration, so that a part of the pool is a pool. Seeds share images, as the trials of a search do.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parent.parent))

from common import cpu
from runs import Data, side_by_side

from tuner.datasets.prepare import prepare
from tuner.facts.provenance import commit, versions
from tuner.hyperparameters.table import TRAINABLES
from tuner.space.read import read_search_file
from tuner.space.sampling import sample
from tuner.space.searchfile import SearchFile
from tuner.space.space import Space

HERE = Path(__file__).parent
POOL = HERE / "pool.parquet"
SEEDS = (0, 1)

#: Kept of each epoch.
CURVES = ("val_accuracy", "val_loss", "train_accuracy", "train_loss", "epoch_seconds")


def read_file(overrides: Sequence[str] = ()) -> SearchFile:
    """Return the search file of the pool."""
    return read_search_file(HERE / "space.yaml", overrides, trainables=TRAINABLES)


def configuration(space: Space, number: int) -> dict[str, Any]:
    """Return the pool's configuration of a number: the same one however many there are."""
    config = sample(space, random.Random(number))
    assert config is not None
    return config


def schema(space: Space, provenance: Mapping[str, Any]) -> pa.Schema:
    """Return the columns: one row a run, curves as lists, one value an epoch."""
    types = {float: pa.float64(), int: pa.int64(), bool: pa.bool_(), str: pa.string()}
    example = configuration(space, 0)
    return pa.schema(
        [
            pa.field("configuration", pa.int64()),
            pa.field("seed", pa.int64()),
            pa.field("stop_reason", pa.string()),
            pa.field("seconds", pa.float64()),
            *(pa.field(name, types[type(example[name])]) for name in space.searched),
            *(pa.field(name, pa.list_(pa.float32())) for name in CURVES),
        ],
        metadata={"provenance": json.dumps(provenance)},
    )


def read_runs(path: Path) -> list[dict[str, Any]]:
    """Return the runs that a pool holds; none where there is no file."""
    return pq.read_table(path).to_pylist() if path.exists() else []


def missing(runs: Sequence[Mapping[str, Any]], count: int) -> Iterator[tuple[int, int]]:
    """Yield configuration and seed of what is to be run."""
    done = {(run["configuration"], run["seed"]) for run in runs}
    return ((number, seed) for number in range(count) for seed in SEEDS if (number, seed) not in done)


def write(path: Path, runs: list[dict[str, Any]], columns: pa.Schema) -> None:
    """Replace the pool."""
    ordered = sorted(runs, key=lambda run: (run["configuration"], run["seed"]))
    beside = path.with_suffix(".writing")
    pq.write_table(pa.Table.from_pylist(ordered, columns), beside, compression="zstd", write_page_checksum=True)
    beside.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--root", help="where the data set lies (default: the cache folder)")
    parser.add_argument("--configurations", type=int, default=400)
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="as in tuner search; for tests"
    )
    parser.add_argument("--processes", type=int, default=2, help="runs side by side (default: 2)")
    parser.add_argument("--threads", type=int, default=1, help="threads of each (default: 1)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--limit-minutes", type=float, default=float("inf"), help="no run begins after this time")
    parser.add_argument("--pool", type=Path, default=POOL)
    args = parser.parse_args()

    file = read_file(args.set)
    assert file.data is not None and file.data.train_images is not None
    root = None if args.root is None else str(Path(args.root).absolute())
    data = Data(args.dataset, root, file.data.validation, file.data.train_images)
    prepared = prepare(data.dataset, root and Path(root))  # once, before processes ask for it
    runs = read_runs(args.pool)
    columns = schema(
        file.space,
        {
            "command": "python benchmarks/pool/make.py",
            "space": file.text,
            "fingerprint": prepared.fingerprint,
            "machine": {"cpu": cpu(), "device": args.device, "processes": args.processes, "threads": args.threads},
            "versions": versions(),
            "commit": commit(),
        },
    )
    wanted = (
        ((number, seed), file.data.split_seed, {**configuration(file.space, number), "seed": seed})
        for number, seed in missing(runs, args.configurations)
    )
    ended = side_by_side(
        data,
        wanted,
        CURVES,
        processes=args.processes,
        threads=args.threads,
        limit_minutes=args.limit_minutes,
        device=args.device,
    )
    for (number, seed), result in ended:
        config = configuration(file.space, number)
        searched = {name: config[name] for name in file.space.searched}
        runs.append({"configuration": number, "seed": seed, **searched, **result})
        write(args.pool, runs, columns)
        best = max(result["val_accuracy"], default=None)
        print(f"configuration {number}, seed {seed}: {best} after {result['seconds']} s", flush=True)


if __name__ == "__main__":
    main()
