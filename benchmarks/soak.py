"""A long search from end to end: what a trial costs its driver, and the driver's memory, as the search grows.

    python benchmarks/soak.py [--trials 10000] [--slots 16] [--algorithm tpe] [--every 1000] [--folder FOLDER]

The program's own ledger, sampler, scheduler, log and leaderboard, without Ray; workers are a formula that answers at
once. Prints one JSON line, and each of its cells when it is known on stderr: for every so many trials, milliseconds of
processor time a trial that the sampler, the leaderboard and all the rest took since the cell before, and resident
memory. ``--plain`` keeps every result in TPE's study, for comparison.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common import machine, versions
from driver import Clock, ledger_of, message_of, milliseconds, search_file

from tuner.facts.records import Decision
from tuner.journal.log import open_log
from tuner.leaderboard.info import SearchInfo
from tuner.leaderboard.rows import EndedRows
from tuner.leaderboard.write import write_results
from tuner.search.messages import Assignment
from tuner.search.samplers.tpe import Tpe

#: The driver writes the leaderboard again after a pause of so many times what the last write took, or after a second.
_PAUSE = 4


def resident_mb() -> float:
    """Return the memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * 4096 / 1e6, 1)


def soak(folder: Path, algorithm: str, trials: int, slots: int, every: int) -> Iterator[dict[str, Any]]:
    """Run a search; yields a cell for every so many trials that have ended."""
    file = search_file(folder, algorithm, trials, slots)
    info = SearchInfo.of(file.name, file.metric.name, file.metric.goal, file.space)
    rows, running = EndedRows(), deque[tuple[Assignment, int]]()
    asks, writes = Clock(), Clock()
    ended, wait, written = 0, 1.0, time.monotonic()
    with open_log(folder) as log:
        ledger = ledger_of(log, file, slots)
        processor = time.process_time()
        while ended < trials:
            while len(running) < slots and not ledger.all_proposed:
                assignment = asks.time(ledger.next_assignment)
                assert assignment is not None
                running.append((assignment, 1))
            assignment, epoch = running.popleft()
            if ledger.receive(message_of(assignment, epoch, checkpoints=True)) is Decision.CONTINUE:
                running.append((assignment, epoch + 1))
                continue
            ended += 1
            if time.monotonic() - written > wait or ended == trials:
                writes.time(lambda: write_results(folder, ledger.history, info, live=True, kept={}, ended=rows))
                written, wait = time.monotonic(), max(1.0, _PAUSE * writes.seconds[-1])
            if ended % every == 0:
                spent = time.process_time() - processor
                yield {
                    "trials": ended,
                    "epochs": ledger.history.epochs,
                    "sampler_ms": milliseconds(asks.processor_seconds / every),
                    "leaderboard_ms": milliseconds(writes.processor_seconds / every),
                    "driver_ms": milliseconds((spent - asks.processor_seconds - writes.processor_seconds) / every),
                    "leaderboard_writes": len(writes.seconds),
                    "memory_mb": resident_mb(),
                }
                asks, writes, processor = Clock(), Clock(), time.process_time()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--algorithm", default="tpe")
    parser.add_argument("--every", type=int, default=1000)
    parser.add_argument("--plain", action="store_true", help="TPE learns from every result")
    parser.add_argument("--folder", type=Path, help="where the log is written: the disk that counts")
    args = parser.parse_args()
    if args.plain:
        Tpe.bound = None
    about = {"benchmark": "soak", "algorithm": args.algorithm, "plain": args.plain, "slots": args.slots, **machine()}
    cells = []
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        for cell in soak(Path(name), args.algorithm, args.trials, args.slots, args.every):
            print(json.dumps(cell), file=sys.stderr, flush=True)
            cells.append(cell)
    print(json.dumps({**about, "cells": cells, "versions": versions("optuna", "pyarrow")}))


if __name__ == "__main__":
    main()
