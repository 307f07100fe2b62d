"""docs/search-quality.md and its plots, made from the records of search_quality.py; every number comes from them.

    python benchmarks/search_quality_page.py

Reads ``search_quality.jsonl`` beside this file. Of two lines about the same world, method and workers the later counts.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scipy.stats import mannwhitneyu
from svg import COLOURS, Line, chart

RECORDS = Path(__file__).parent / "search_quality.jsonl"
DOCS = Path(__file__).parent.parent / "docs"
PAGE = "search-quality.md"

#: A line of the records.
Record = Mapping[str, Any]

#: Whose quartiles are drawn.
_BANDS = ("tuner", "stock")

#: The axis of regrets begins here: less than seeds differ by.
_FLOOR = 1e-3

_TEXT = """\
# Which search finds more for less

Searches of six kinds, and the product's, each with the same epochs to spend, replayed over curves that are known.
Nothing trains: an epoch is one unit of a virtual clock, and samplers and schedulers are the real ones.

- **Regret** is the truth of the best configuration of the space minus that of the one that a search would hand over at
  that moment. Truth has no noise: the best epoch of a full training, times the probability that it does not diverge,
  plus what is left after divergence times the probability that it does. What a search sees is one noisy run.
- Handed over is what each would hand over by its own rules: `tuner` the first of its leaderboard, which are completed
  trials by their best epoch; `stock` Ray Tune's `get_best_result`, of all trials the best last value; `optuna`
  `study.best_trial`.
- `stock` is Ray Tune's OptunaSearch and ASHAScheduler at their defaults (grace period 1, reduction factor 4), the real
  classes, told what Ray Tune's controller tells them. `random-twice` is random search at twice the epochs, counted
  half. `one-epoch-top-k` trains all for one epoch with half of the epochs and finishes the best with the rest.
- A run that diverges raises: `stock` and `optuna` then call it an error, `tuner` diverged.
- Medians over {seeds} seeds, in brackets the quartiles. The target is a tenth of the median random configuration's
  regret; a search has reached it when its regret is that small for the first time.

## Against stock

Epochs that `tuner` takes until its median regret is what `stock` has at the end, and the regrets of both and of random
search at the end of {budget:,} epochs. The last column is the probability that the ranks of regrets look as bad beside
those of random search by chance: below 0.05 `tuner` is worse.

{against}

With 16 workers the first 16 trials run whole before any rung is known to rank, a quarter of these epochs, and those
that the sampler proposes after them end when half are spent. Tried on the half for tuning, and no better there: rungs
that are trusted until trials say otherwise, with the first 4, 6 or 8 trials exempt, and rungs that are always trusted.

Where training diverges beyond a boundary and is best just before it, the more trials a search has, the more of them
were lucky not to diverge, and the luckiest is handed over: `random-twice` is worse than `random`. `tuner` runs a
configuration that leads again on other seeds there (`search.replicates`); where nothing diverges nothing runs again.

{worlds}
Made by

{commands}

on {cores} cores of {cpu}, with {versions}. The records lie in
[search_quality.jsonl](../benchmarks/search_quality.jsonl); this page is made by

    python benchmarks/search_quality_page.py
"""

_WORLD = """\
## {name}

{says}{validity} A curve without noise ranks as the truth does with Spearman's correlation {ranks}. The best
is {best:.3f} ({metric}), the target a regret of {target:.3f}.

![Median regret over epochs]({plot})

{table}
"""

_INVALID = """\

**Not valid:** the surrogate ranks what it has not seen with a correlation of {all} (in the better half {better}), and
0.8 is needed.
"""

_VALID = " The surrogate ranks what it has not seen with a correlation of {all}, in the better half {better}."


def latest(records: Sequence[Record]) -> list[Record]:
    """Return the records that count, in the order in which each first came."""
    found: dict[tuple[str, str, int], Record] = {}
    for record in records:
        found[record["world"], record["method"], record["workers"]] = record
    return list(found.values())


def page(records: Sequence[Record]) -> str:
    """Return the page."""
    counted = latest(records)
    worlds = _grouped(counted, "world")
    last = counted[-1]
    return _TEXT.format(
        seeds=" or ".join(sorted({str(record["seeds"]) for record in counted})),
        budget=max(record["budget"] for record in counted),
        against=_table([row for group in worlds.values() for row in _against(group)]),
        worlds="\n".join(_world(name, group) for name, group in worlds.items()),
        commands="\n".join(dict.fromkeys(f"    {record['command']}" for record in counted)),
        cores=last["cores"],
        cpu=last["cpu"],
        versions=", ".join(f"{name} {version}" for name, version in last["versions"].items()),
    )


def plots(records: Sequence[Record]) -> dict[str, str]:
    """Return file name to drawing: one for each world, of the workers that the records name first."""
    drawings = {}
    for name, group in _grouped(latest(records), "world").items():
        workers = group[0]["workers"]
        shown = [record for record in group if record["workers"] == workers]
        lines = [
            Line(
                record["method"],
                record["lower"],
                record["median"],
                record["upper"],
                colour=COLOURS[place % len(COLOURS)],
                band=record["method"] in _BANDS,
            )
            for place, record in enumerate(shown)
        ]
        title = f"{name}, {workers} workers: median regret, quartiles of {' and '.join(_BANDS)}"
        drawings[_plot_name(name)] = chart(
            title, shown[0]["epochs"], lines, x_label="epochs", y_label="regret", floor=_FLOOR
        )
    return drawings


def _plot_name(world: str) -> str:
    return f"search-quality-{world}.svg"


def _grouped(records: Sequence[Record], name: str) -> dict[Any, list[Record]]:
    groups: dict[Any, list[Record]] = {}
    for record in records:
        groups.setdefault(record[name], []).append(record)
    return groups


def _world(name: str, group: Sequence[Record]) -> str:
    first = group[0]
    validity = ""
    if "agreement" in first:
        text = _VALID if first["valid"] else _INVALID
        validity = text.format(all=first["agreement"]["all"], better=first["agreement"]["better half"])
    ranks = ", ".join(f"{value:.2f} at epoch {epoch}" for epoch, value in first["rank_correlations"].items())
    return _WORLD.format(
        name=name,
        says=first["world_says"],
        validity=validity,
        ranks=ranks,
        best=first["best"],
        metric=first["metric"],
        target=first["target"],
        plot=_plot_name(name),
        table=_table([_row(record) for record in sorted(group, key=lambda record: record["workers"])]),
    )


def _against(group: Sequence[Record]) -> list[dict[str, str]]:
    """Return a row for each number of workers with which both were replayed."""
    rows = []
    for workers, cells in sorted(_grouped(group, "workers").items()):
        by_method = {record["method"]: record for record in cells}
        if not {"tuner", "stock"} <= by_method.keys():
            continue
        tuner, stock, random = by_method["tuner"], by_method["stock"], by_method.get("random")
        epochs = epochs_to(tuner, stock["median"][-1])
        share = "never" if epochs is None else f"{epochs:,} ({epochs / stock['budget']:.2f})"
        rows.append(
            {
                "": tuner["world"] + ("" if tuner["valid"] else " (not valid)"),
                "workers": str(workers),
                "epochs to stock's end (share)": share,
                "stock": _number(stock["median"][-1]),
                "tuner": _number(tuner["median"][-1]),
                "random": "" if random is None else _number(random["median"][-1]),
                "worse than random, p": "" if random is None else f"{worse(tuner['final'], random['final']):.2f}",
            }
        )
    return rows


def worse(ours: Sequence[float | None], others: Sequence[float | None]) -> float:
    """Return the probability of regrets as large as ours if both came from one distribution.

    One-sided, by ranks (Mann and Whitney 1947); None, nothing to hand over, is the largest.
    """
    first, second = ([math.inf if value is None else value for value in values] for values in (ours, others))
    return float(mannwhitneyu(first, second, alternative="greater").pvalue)


def epochs_to(record: Record, regret: float | None) -> int | None:
    """Return the epochs after which a median regret is at most this one and stays so; None if never."""
    if regret is None:
        return None
    reached: int | None = None
    for epochs, median in zip(record["epochs"], record["median"], strict=True):
        if median is None or median > regret:
            reached = None
        elif reached is None:
            reached = epochs
    return reached


def _row(record: Record) -> dict[str, str]:
    reached = [epochs for epochs in record["target_epochs"] if epochs is not None]
    half = len(record["median"]) // 2 - 1
    typical = sorted(reached)[(record["seeds"] - 1) // 2] if 2 * len(reached) > record["seeds"] else None
    return {
        "": f"`{record['method']}`",
        "workers": str(record["workers"]),
        "regret at the end": f"{_number(record['median'][-1])} ({_number(record['lower'][-1])}, "
        f"{_number(record['upper'][-1])})",
        "half way": _number(record["median"][half]),
        "reach the target": f"{len(reached) / record['seeds']:.0%}",
        "epochs to it": "" if typical is None else f"{typical:,.0f}",
        "trials": f"{record['trials']:.0f}",
        "finished": f"{record['finished']:.0f}",
        "diverged": f"{record['diverged']:.0f}",
    }


def _number(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.4f}"


def _table(rows: Sequence[Mapping[str, str]]) -> str:
    if not rows:
        return "No records yet."
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    records = [json.loads(line) for line in RECORDS.read_text(encoding="utf-8").splitlines()]
    (DOCS / PAGE).write_text(page(records), encoding="utf-8")
    for name, drawing in plots(records).items():
        (DOCS / name).write_text(drawing, encoding="utf-8")


if __name__ == "__main__":
    main()
