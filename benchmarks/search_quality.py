"""Does a search find better configurations for less? Searches are replayed over curves that are known.

    python benchmarks/search_quality.py --processes 2

Worlds are the formulas of ``regimes.py`` and, where ``pool/pool.parquet`` is, a half of the replay pool (``--half``,
see ``pool/surrogate.py``). Every method has the same epochs to spend, on 1, 4 and 16 workers of a virtual clock. Regret
is the truth of the best configuration minus that of the one that a search would hand over. One JSON line for each
world, method and number of workers is added to ``search_quality.jsonl`` beside this file, as it is done; lines that
are there are not made again, so that it goes on where it was interrupted. Takes hours.

The held-out rank correlation of the surrogate is printed first; under 0.8 its records say ``"valid": false`` and the
exit code is 1.
"""

from __future__ import annotations

import os

# A process a core: the threads of linear algebra would only be in each other's way. Before numpy is imported.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import argparse
import contextlib
import itertools
import json
import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from common import machine, versions
from pool.surrogate import GATE, HALVES, POOL, Surrogate
from regimes import REGIMES, Formula
from replay.cells import Cell, append, fingerprint, key, read
from replay.methods import FURTHER, METHODS, method_of
from replay.traces import Trace, summary, trace
from replay.worlds import World

from tuner.facts.provenance import commit

RECORDS = Path(__file__).with_suffix(".jsonl")


@lru_cache(maxsize=4)
def world_of(name: str, pool: Path = POOL) -> World:
    """Return a world; a process keeps what it has fitted."""
    return Surrogate(name.removeprefix("pool-"), pool) if name.startswith("pool-") else Formula(name)


def _task(cell: Cell, seed: int, pool: Path) -> Trace:
    return trace(world_of(cell.world, pool), cell.method, seed, cell.workers, cell.budget)


def cells(worlds: Sequence[World], args: argparse.Namespace) -> Iterator[Cell]:
    """Yield what is wanted, all worlds with the first number of workers before any with the second."""
    marks = {world.name: fingerprint(world) for world in worlds}
    for workers in args.workers:
        for world in worlds:
            for method in args.methods:
                settings = json.dumps(method_of(method).settings(world), sort_keys=True)
                yield Cell(world.name, marks[world.name], method, settings, workers, args.budget, args.seeds)


def judged(world: World) -> dict[str, Any]:
    """Return whether figures of a world count, and print what that hangs on."""
    if not isinstance(world, Surrogate):
        return {"valid": True}
    found = {name: round(value, 3) for name, value in world.agreement.items()}
    sizes = f"{len(world.half)} configurations, {len(world.others)} held out"
    print(f"{world.name}: held-out rank correlation {found['all']}, in the better half {found['better half']}; {sizes}")
    return {"valid": found["all"] >= GATE, "agreement": found, "pool": len(world.half) + len(world.others)}


def run(wanted: Sequence[Cell], args: argparse.Namespace) -> Iterator[tuple[Cell, list[Trace], float]]:
    """Replay what is wanted; yields each cell with its searches, in the order of the cells."""
    tasks = [(cell, seed, args.pool) for cell in wanted for seed in range(cell.seeds)]
    with contextlib.ExitStack() as stack:
        ended = itertools.starmap(_task, tasks)
        if args.processes > 1 and tasks:
            spawn = multiprocessing.get_context("spawn")
            executor = stack.enter_context(ProcessPoolExecutor(args.processes, spawn))
            ended = executor.map(_task, *zip(*tasks, strict=True))
        for cell in wanted:
            began = time.monotonic()
            yield cell, [next(ended) for _ in range(cell.seeds)], time.monotonic() - began


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", nargs="+", help=f"{', '.join(REGIMES)}, pool (default: all that there are)")
    parser.add_argument(
        "--methods", nargs="+", default=list(METHODS), metavar="METHOD", help=", ".join([*METHODS, *FURTHER])
    )
    parser.add_argument("--set", dest="overrides", metavar="'A=B C=D'", help="the product with these settings, besides")
    parser.add_argument("--workers", type=int, nargs="+", default=[4, 1, 16])
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--budget", type=int, default=64 * 27, help="epochs (default: 64 full trials)")
    parser.add_argument("--half", choices=HALVES, default="odd", help="of the pool: tune on even, report odd")
    parser.add_argument("--pool", type=Path, default=POOL)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--records", type=Path, default=RECORDS)
    parser.add_argument("--again", action="store_true", help="make records again that are there")
    args = parser.parse_args(arguments)
    names = args.worlds or [*REGIMES, *(["pool"] if args.pool.exists() else [])]
    unknown = [name for name in names if name not in (*REGIMES, "pool")]
    unknown += [name for name in args.methods if name not in (*METHODS, *FURTHER)]
    if unknown:
        parser.error(f"there is no {' and no '.join(unknown)}")
    args.worlds = [f"pool-{args.half}" if name == "pool" else name for name in names]
    args.methods += [f"tuner {args.overrides}"] if args.overrides else []
    return args


def main(arguments: Sequence[str] | None = None) -> int:
    args = parsed(arguments)
    try:
        worlds = [world_of(name, args.pool) for name in args.worlds]
        verdicts = {world.name: judged(world) for world in worlds}
    except (ValueError, OSError) as error:
        print(f"search_quality.py: {error}", file=sys.stderr)
        return 1
    done = set() if args.again else {key(record) for record in read(args.records)}
    wanted = [cell for cell in cells(worlds, args) if cell not in done]
    where = {**machine(), "processes": args.processes, "versions": versions("optuna", "ray", "numpy", "scikit-learn")}
    for cell, traces, seconds in run(wanted, args):
        about = {**asdict(cell), "settings": json.loads(cell.settings), "says": method_of(cell.method).says}
        figures = {**about, **summary(world_of(cell.world, args.pool), traces), **verdicts[cell.world]}
        made = {"seconds": round(seconds, 1), **where, "commit": commit()}
        append(args.records, {"benchmark": "search_quality", **figures, **made})
        shown = {name: figures[name] for name in ("world", "method", "workers", "trials", "valid")}
        print(json.dumps({**shown, "regret": figures["median"][-1], "seconds": made["seconds"]}), flush=True)
    weak = [name for name, verdict in verdicts.items() if not verdict["valid"]]
    if weak:
        print(
            f"search_quality.py: the surrogate of {weak[0]} ranks too badly for its figures to be valid",
            file=sys.stderr,
        )
    return 1 if weak else 0


if __name__ == "__main__":
    sys.exit(main())
