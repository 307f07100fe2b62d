"""The page of what one driver can do says what the benchmarks' records say."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.append("benchmarks")  # scripts, no package: they import their neighbours by name

from scaling_page import page

WHERE = {
    "algorithm": "tpe",
    "slots": 16,
    "command": "python benchmarks/script.py --option",
    "cpu": "a processor",
    "cores": 2,
    "load_before": 0.1,
    "versions": {"python": "3.11.0"},
}


def driver_cell(side: str, trials: int, **changes: Any) -> dict[str, Any]:
    clocked = {"ms": 2.0, "ms_at_end": 3.0, "cpu_ms": 1.0}
    return {
        **{"side": side, "trials": trials, "slots": 16, "reports": 7 * trials, "ask": clocked, "report": clocked},
        **{"tpe_ask": {**clocked, "cpu_ms": 120.0}, "replay_seconds": 4.0, "replay_cpu_seconds": 3.0, "log_mb": 5.0},
        **{"replay_peak_mb": 300, "publish": clocked},
        **changes,
    }


def records() -> list[dict[str, Any]]:
    log = {"storage": "s3 + 60 ms", "delay_ms": 60, "report_ms": 1.0, "ask_ms": 1.0, "open_seconds": 1.0}
    soak = {"sampler_ms": 30.0, "leaderboard_ms": 5.0, "driver_ms": 2.0}
    cluster = {"side": "tuner", "trials": 24, "trials_per_hour": 100, "reports_per_second": 5.0, "busy": 0.5}
    cluster |= {"driver_cpu": 0.1, "driver_peak_mb": 200, "store_bytes": 0}
    cells = {
        "driver": [driver_cell("tuner", 10_000), driver_cell("tuner", 100), driver_cell("optuna", 20_000)],
        "soak": [
            {**soak, "trials": 1000, "epochs": 7_000, "memory_mb": 180.0},
            {**soak, "trials": 9000, "epochs": 66_666, "memory_mb": 204.0},
        ],
        "log": [
            {**log, "reports": "durable", "reports_per_second": 20},
            {**log, "reports": "grouped", "reports_per_second": 80},
        ],
        "cluster": [
            {**cluster, "nodes": 1, "epochs": 100, "driver_cpu_ms_per_report": 40.0},
            {**cluster, "nodes": 8, "epochs": 500, "driver_cpu_ms_per_report": 16.0},
            {**cluster, "nodes": 8, "epochs": 500, "driver_cpu_ms_per_report": 99.0, "side": "stock"},
        ],
    }
    return [{"benchmark": name, "cells": found, **WHERE} for name, found in cells.items()]


def test_limits_follow_from_the_largest_search_measured() -> None:
    text = " ".join(page(records()).split())
    assert "spends 10.0 ms of a processor on each further report" in text
    assert "100 reports a second fill one core, so that epochs have to take 10 s at least" in text
    assert "With answers in 60 ms the driver takes 20 such reports a second, and epochs have to take 50 s" in text
    assert "120 ms of a processor a proposal at 10,000 trials" in text
    assert "trials have to last 2.0 minutes on average" in text
    assert "epochs take 20 s and trials 4.0 minutes; on object storage epochs of 100 s" in text


def test_what_a_trial_takes_is_the_growth_from_the_first_row_to_the_last() -> None:
    text = " ".join(page(records()).split())
    assert "3.0 kB for each trial that has ended" in text and "66,666 reports in all" in text
    assert "| 9,000 | 30.0 | 5.0 | 2.0 | 204 |" in text


def test_the_last_record_of_a_benchmark_counts() -> None:
    earlier = {"benchmark": "driver", "cells": [driver_cell("tuner", 77_777)], **WHERE}
    assert "77,777" not in page([earlier, *records()])


def test_numbers_of_nodes_may_be_measured_one_by_one() -> None:
    *others, cluster = records()
    one, eight, stock = cluster["cells"]
    stale = {**cluster, "command": "python benchmarks/cluster.py --stale", "cells": [{**eight, "trials": 77_777}]}
    small = {**cluster, "command": "python benchmarks/cluster.py --nodes 1", "cells": [one]}
    large = {**cluster, "command": "python benchmarks/cluster.py --nodes 8", "cells": [eight, stock]}
    text = page([stale, *others, large, small])
    assert "spends 10.0 ms of a processor on each further report" in text
    assert "77,777" not in text and "--stale" not in text
    assert "--nodes 1\n" in text and "--nodes 8\n" in text


def test_the_page_is_that_of_the_published_records() -> None:
    lines = Path("benchmarks/scaling.jsonl").read_text(encoding="utf-8").splitlines()
    published = Path("docs/scaling.md").read_text(encoding="utf-8")
    assert published == page([json.loads(line) for line in lines]), "python benchmarks/scaling_page.py"
