"""docs/scaling.md, made from the records of driver.py, soak.py, log.py and cluster.py, of which its numbers are.

    python benchmarks/scaling_page.py

Reads ``scaling.jsonl`` beside this file, the lines that the four printed, and writes the page. Of two lines of one
benchmark the later one counts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RECORDS = Path(__file__).parent / "scaling.jsonl"
PAGE = Path(__file__).parent.parent / "docs" / "scaling.md"

#: A line of the records, or one of its cells.
Record = Mapping[str, Any]

_SLOTS = 1000

_TEXT = """\
# How far one driver goes

One driver decides for a whole search: it proposes, writes down what trials report, judges them at rungs and
publishes the leaderboard. The trials run elsewhere. How many of them can one driver feed?

## Where it ends

With {slots:,} trials side by side, on the machines of the figures below:

- **Reports.** On a cluster the driver spends {per_report:.1f} ms of a processor on each further report, most in Ray:
  {reports:.0f} reports a second fill one core, so that epochs have to take {epoch:.0f} s at least.
- **Object storage.** A report with a checkpoint waits for one put. With answers in {delay} ms the driver takes
  {puts:.0f} such reports a second, and epochs have to take {slow_epoch:.0f} s. Reports without a checkpoint are
  grouped, {grouped:.0f} a second; proposals, rungs and ends are not.
- **Proposals.** TPE learns from 500 to 1,000 results and from the trials that run, however long the search is:
  {ask:.0f} ms of a processor a proposal at {trials:,} trials. So trials have to last {trial_minutes:.1f} minutes on
  average, or slots wait for proposals. `random` takes {random:.1f} ms.
- **Leaderboard.** Writing it at {trials:,} trials takes {publish:.2f} s of a processor, beside the driver's loop; the
  pause after a write grows with what it took.
- **Memory.** {kb:.1f} kB for each trial that has ended, [as a search grows](#as-a-search-grows).
- **Resume.** Reading a log of {trials:,} trials and {epochs:,} reports again takes {replay:.1f} s; the driver needs
  {peak:,} MB.

With a factor of two to spare: {trials:,} trials on {slots:,} slots are within reach of one driver where epochs take
{easy_epoch:.0f} s and trials {easy_minutes:.1f} minutes; on object storage epochs of {easy_slow_epoch:.0f} s.

## What then

- Fewer, larger trials: `cpus_per_trial`, `gpus_per_trial` and `max_concurrent` bound how many run side by side.
- Fewer reports: one's own trainable may yield once in several epochs, and keep a checkpoint at some of its yields
  alone; reports without one are grouped.
- `algorithm: random`, where TPE's proposals are what is slow; with thousands of slots most proposals are made before
  anything is known anyway.
- Several searches. The same file under different names with another `search.seed` each, every one with a driver
  of its own and a share of the slots (`max_concurrent`). `tuner.read_leaderboard("results")` unites them. Each
  search has rungs and a history of its own: with N of them, TPE learns from an N-th of the trials.

## The driver by itself

No Ray: trials answer at once, the log lies on a local disk, every report is durable. Milliseconds of wall clock, in
brackets of a processor. `optuna` is Optuna with a journal file, told the same.

{driver}

    {driver_command}

{driver_where}

## As a search grows

A whole search in one process, again without Ray: proposals by {soak_algorithm}, {soak_slots} slots, {soak_epochs:,}
reports in all. Milliseconds of a processor for each trial since the row before.

{soak}

    {soak_command}

{soak_where}

What grows are the configuration of each trial, the numbers of its reports, eight bytes each, and its row of the
leaderboard. With what writing both Parquet files takes for a moment it is {kb:.1f} kB a trial from the first row to the
last. TPE's study does not grow beyond 1,000 results; those of gp and nsga2 do.

## What a durable report costs

Through the program's log, without Ray. `s3` is a real S3 server on the same machine behind a proxy that holds
each answer back.

{log}

    {log_command}

{log_where}

## On a cluster

Nodes of two CPUs, all on one machine, trials that sleep; TPE and ASHA. `busy` is the share of the slots' time in
which they trained: what is left went into starting, and into waiting for driver and Ray, which here have to share
two cores with every node and every trial. `stock` is Ray Tune with OptunaSearch, ASHAScheduler and `reuse_actors`.
The object store counts what all nodes put into it: neither images nor reports pass through it.

{cluster}

{cluster_made}

The records lie in [scaling.jsonl](../benchmarks/scaling.jsonl); this page is made by

    python benchmarks/scaling_page.py
"""


def page(records: Sequence[Record]) -> str:
    """Return the whole page.

    Args:
        records: Of the benchmarks driver, soak, log and cluster; of each the last counts. Numbers of nodes may be
            measured one by one, as eight take a machine that is left alone: of each the last counts.
    """
    by_name = {record["benchmark"]: record for record in records}
    driver, soak, log = (by_name[name] for name in ("driver", "soak", "log"))
    last = {
        (cell["nodes"], cell["side"]): (cell, record)
        for record in records
        if record["benchmark"] == "cluster"
        for cell in record["cells"]
    }
    cluster = [cell for _, (cell, _) in sorted(last.items(), key=lambda item: (item[0][0], item[0][1] == "stock"))]
    made = [record for record in records if any(record is used for _, used in last.values())]
    return _TEXT.format(
        slots=_SLOTS,
        **_limits(driver["cells"], log["cells"], cluster),
        driver=_table(_driver_row, driver["cells"]),
        driver_where=_where(driver),
        driver_command=driver["command"],
        soak=_table(_soak_row, soak["cells"]),
        soak_where=_where(soak),
        soak_command=soak["command"],
        soak_algorithm=soak["algorithm"],
        soak_slots=soak["slots"],
        soak_epochs=soak["cells"][-1]["epochs"],
        kb=_kilobytes(soak["cells"]),
        log=_table(_log_row, log["cells"]),
        log_where=_where(log),
        log_command=log["command"],
        cluster=_table(_cluster_row, cluster),
        cluster_made="\n\n".join(f"    {record['command']}\n\n{_where(record)}" for record in made),
    )


def _limits(driver: Sequence[Record], log: Sequence[Record], cluster: Sequence[Record]) -> dict[str, Any]:
    """Return the numbers of the section that says where one driver ends."""
    alone = max((cell for cell in driver if cell["side"] == "tuner"), key=lambda cell: (cell["trials"], cell["slots"]))
    small, *_, large = sorted((cell for cell in cluster if cell["side"] == "tuner"), key=lambda cell: cell["nodes"])
    slow = {cell["reports"]: cell for cell in log if cell["storage"] == log[-1]["storage"]}
    # What a driver needs to start, some seconds, is in both and no part of it.
    spent = [cell["driver_cpu_ms_per_report"] * cell["epochs"] for cell in (small, large)]
    per_report = (spent[1] - spent[0]) / (large["epochs"] - small["epochs"])
    puts = slow["durable"]["reports_per_second"]
    epoch, slow_epoch = _SLOTS * per_report / 1000, _SLOTS / puts
    trial_minutes = _SLOTS * alone["tpe_ask"]["cpu_ms"] / 60_000
    return {
        "per_report": per_report,
        "reports": 1000 / per_report,
        "epoch": epoch,
        "easy_epoch": 2 * epoch,
        "delay": slow["durable"]["delay_ms"],
        "puts": puts,
        "slow_epoch": slow_epoch,
        "easy_slow_epoch": 2 * slow_epoch,
        "grouped": slow["grouped"]["reports_per_second"],
        "trials": alone["trials"],
        "ask": alone["tpe_ask"]["cpu_ms"],
        "trial_minutes": trial_minutes,
        "easy_minutes": 2 * trial_minutes,
        "random": alone["ask"]["cpu_ms"],
        "publish": alone["publish"]["cpu_ms"] / 1000,
        "replay": alone["replay_cpu_seconds"],
        "epochs": alone["reports"],
        "peak": alone["replay_peak_mb"],
    }


def _kilobytes(soak: Sequence[Record]) -> float:
    """Return how much memory a trial takes, from the first cell to the last."""
    first, last = soak[0], soak[-1]
    return float(1000 * (last["memory_mb"] - first["memory_mb"]) / (last["trials"] - first["trials"]))


def _driver_row(cell: Record) -> dict[str, str]:
    return {
        "": cell["side"],
        "trials": f"{cell['trials']:,}",
        "slots": f"{cell['slots']:,}",
        "random proposal": _milliseconds(cell["ask"]),
        "report": _milliseconds(cell["report"]),
        "of the last tenth": f"{cell['report']['ms_at_end']:.2f}",
        "TPE proposal": _milliseconds(cell["tpe_ask"]),
        "leaderboard": _milliseconds(cell["publish"]) if "publish" in cell else "",
        "resume, s": f"{cell['replay_seconds']:.1f} ({cell['replay_cpu_seconds']:.1f})",
        "log, MB": f"{cell['log_mb']:.1f}",
        "peak, MB": f"{cell['replay_peak_mb']:,}",
    }


def _soak_row(cell: Record) -> dict[str, str]:
    return {
        "trials": f"{cell['trials']:,}",
        "proposal": f"{cell['sampler_ms']:.1f}",
        "leaderboard": f"{cell['leaderboard_ms']:.1f}",
        "all the rest": f"{cell['driver_ms']:.1f}",
        "memory, MB": f"{cell['memory_mb']:.0f}",
    }


def _log_row(cell: Record) -> dict[str, str]:
    return {
        "log": cell["storage"],
        "reports": cell["reports"],
        "reports a second": f"{cell['reports_per_second']:,}",
        "report, ms": f"{cell['report_ms']:.2f}",
        "proposal, ms": f"{cell['ask_ms']:.2f}",
        "opened again, s": f"{cell['open_seconds']:.2f}",
    }


def _cluster_row(cell: Record) -> dict[str, str]:
    return {
        "": cell["side"],
        "nodes": f"{cell['nodes']}",
        "trials": f"{cell['trials']:,}",
        "trials an hour": f"{cell['trials_per_hour']:,}",
        "reports a second": f"{cell['reports_per_second']:.1f}",
        "busy": f"{cell['busy']:.2f}",
        "driver, cores": f"{cell['driver_cpu']:.2f}",
        "a report, ms": f"{cell['driver_cpu_ms_per_report']:.1f}",
        "driver's peak, MB": f"{cell['driver_peak_mb']:,}",
        "object store, bytes": f"{cell['store_bytes']:,}",
    }


def _milliseconds(found: Record) -> str:
    return f"{found['ms']:.2f} ({found['cpu_ms']:.2f})"


def _table(row_of: Any, cells: Sequence[Record]) -> str:
    rows = [row_of(cell) for cell in cells]
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _where(record: Record) -> str:
    made_with = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    machine = f"{record['cores']} cores, {record['cpu']}"
    return f"{machine}; load before it {record['load_before']:.1f}; {made_with}."


def main() -> None:
    records = [json.loads(line) for line in RECORDS.read_text(encoding="utf-8").splitlines()]
    PAGE.write_text(page(records), encoding="utf-8")


if __name__ == "__main__":
    main()
