"""How many reports a second a driver writes down: on a disk, and on object storage with slower and slower answers.

    python benchmarks/log.py [--delays 0 20 60] [--trials 30] [--slots 8] [--rounds 1] [--folder FOLDER]

A search without Ray, as in ``driver.py``, through the program's own log: once with reports that name a checkpoint,
each of them durable before its trial goes on, and once with reports that are grouped for up to a second; proposals,
decisions at rungs and ends are durable in both. The object storage is a real S3 server (moto) on this machine behind
a proxy that holds each answer back for ``--delays`` milliseconds; the disk is the peer. Rounds are interleaved.
Prints one JSON line.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from common import machine, versions
from driver import fill

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.storage.proxy import Fault, Proxy
from tests.storage.server import BUCKET, S3Server, s3_server
from tuner.journal.log import open_log
from tuner.storage.client import client
from tuner.storage.copies import results_folder

_prefixes = count()


@contextlib.contextmanager
def place(server: S3Server, delay: int | None, folder: Path | None) -> Iterator[Path]:
    """Yield a folder for a log: on the disk, or a working copy of a prefix behind a proxy."""
    if delay is None:
        with tempfile.TemporaryDirectory(dir=folder) as name:
            yield Path(name)
        return
    proxy = Proxy(server)
    proxy.faults.append(Fault(seconds=delay / 1000))
    os.environ["AWS_ENDPOINT_URL_S3"] = proxy.url
    client.cache_clear()
    try:
        with results_folder(f"s3://{BUCKET}/log-{next(_prefixes)}") as copy:
            yield copy
    finally:
        proxy.close()


def measured(server: S3Server, delay: int | None, checkpoints: bool, args: argparse.Namespace) -> dict[str, float]:
    """Write a search down, then read its log again."""
    with place(server, delay, args.folder) as folder:
        filled = fill(folder, args.trials, args.slots, checkpoints=checkpoints)
        began = time.perf_counter()
        with open_log(folder):
            opened = time.perf_counter() - began
    return {
        "reports_per_second": filled["reports_per_second"],
        "report_ms": filled["report"]["ms"],
        "ask_ms": filled["ask"]["ms"],
        "open_seconds": round(opened, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--delays", type=int, nargs="*", default=[0, 20, 60], help="milliseconds of each answer")
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="a folder on the disk that counts")
    args = parser.parse_args()
    where = machine()
    cells = [(delay, checkpoints) for delay in (None, *args.delays) for checkpoints in (True, False)]
    runs: dict[tuple[int | None, bool], list[dict[str, float]]] = {cell: [] for cell in cells}
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with s3_server() as server:
        for _ in range(args.rounds):
            for cell, found in runs.items():
                found.append(measured(server, *cell, args))
    records: list[dict[str, Any]] = [
        {
            "storage": "disk" if delay is None else f"s3 + {delay} ms",
            "delay_ms": delay,
            "reports": "durable" if checkpoints else "grouped",
            **{name: median(run[name] for run in found) for name in found[0]},
        }
        for (delay, checkpoints), found in runs.items()
    ]
    print(json.dumps({"benchmark": "log", "cells": records, **where, "versions": versions("boto3", "moto")}))


if __name__ == "__main__":
    main()
