"""A trainable whose results are known beforehand, and which writes down each epoch that it trains.

Copied beside a search file as ``mine.py``. What it writes down lies beside it in ``trained.jsonl``, outside the
results, so that results can be compared with what really happened. A file ``limit`` beside it holds it back: see
``brake.py``.
"""

import json
import math
import os
import time
from pathlib import Path

EPOCHS = 9
EPOCH_SECONDS = float(os.environ.get("EPOCH_SECONDS", "0.05"))

#: Trials with an ``x`` from these on diverge, or run out of memory, in this epoch: before the first rung.
DIVERGES_FROM = 0.8
RUNS_OUT_FROM = 0.9
BREAKS_IN = 2


def score(x, epoch):
    """Return what a trial reports: best at x = 0.3, rising with the epochs."""
    return 1.0 - (x - 0.3) ** 2 - 0.5 / epoch


def outcome(x):
    """Return (state, epochs) of a trial that is not stopped."""
    if x >= RUNS_OUT_FROM:
        return "out_of_memory", BREAKS_IN - 1
    if x >= DIVERGES_FROM:
        return "diverged", BREAKS_IN - 1
    return "completed", EPOCHS


def train(config, checkpoint):
    x, state = config["x"], checkpoint / "epoch"
    done = int(state.read_text()) if state.exists() else 0
    for epoch in range(done + 1, EPOCHS + 1):
        time.sleep(EPOCH_SECONDS)
        while trained(Path(__file__).parent) >= limit():
            time.sleep(0.02)
        write_down({"seed": config["seed"], "epoch": epoch, "pid": os.getpid()})
        if epoch == BREAKS_IN and x >= RUNS_OUT_FROM:
            raise MemoryError("no more")
        state.write_text(str(epoch))
        yield {"acc": math.nan if epoch == BREAKS_IN and x >= DIVERGES_FROM else score(x, epoch)}


def limit():
    """Return how many epochs may be trained in all."""
    try:
        return int(Path(__file__).with_name("limit").read_text())
    except FileNotFoundError:
        return math.inf


def trained(place):
    """Return how many epochs were trained beside a search file, those included that were trained again."""
    file = place / "trained.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0


def write_down(record):
    """Append one line in one piece: other processes do the same."""
    line = json.dumps(record).encode() + b"\n"
    file = os.open(Path(__file__).with_name("trained.jsonl"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(file, line)
    os.close(file)
