"""docs/regularizers.md, made from the runs of regularizers.py; every number on it comes from them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import mean, stdev
from typing import Any

from scipy.special import stdtrit

#: A line of the results file.
Run = Mapping[str, Any]

_INTRODUCTION = """\
# What each regularizer does

A small network that is not regularized learns its training images by heart. Here each regularizer is added to it
alone, at one usual strength, and the last row joins several.

- Without anything: {base}.
- {train_images:,} training images, {validation:,} validation images, {seeds} seeds, each with a split of its own. Runs
  of one seed share seed and split, so that a difference is a mean over pairs; behind the ± is its standard error.
- Accuracy, loss and gap (accuracy on training images minus accuracy on validation images) are those of the
  epoch with the best validation accuracy, as in the leaderboard. Accuracies are in percent.
{shown}- One strength each, short training and a small network: this is no ranking for longer training or larger
  networks.
"""

_SHOWN = """\
- With {seeds} pairs one difference is shown at the 5 % level where it is larger than {needed:.1f} standard errors
  (Student's t). Of {cases} such differences chance alone would show {by_chance:.1f}.
"""

_MADE = """\
Made by

    RUNS=benchmarks/regularizers.jsonl
    python benchmarks/regularizers.py --dataset parquet --root path/to/cifar10 --results $RUNS
    python benchmarks/regularizers.py --page docs/regularizers.md --results $RUNS

on {machine}, in {hours:.1f} hours of training, with
{versions}. The runs lie in [regularizers.jsonl](../benchmarks/regularizers.jsonl).
"""

_HEADINGS = ("", "what is set", "accuracy", "difference", "gap", "difference", "loss", "epochs")


@dataclass(frozen=True)
class Score:
    """What a run reached in the epoch with the best validation accuracy, the first of equals."""

    accuracy: float
    gap: float
    loss: float
    epochs: int

    @staticmethod
    def of(run: Run) -> Score | None:
        """Return the score of a run; None if it diverged."""
        if run["stop_reason"] == "diverged":
            return None
        accuracies = run["val_accuracy"]
        best = accuracies.index(max(accuracies))
        gap = run["train_accuracy"][best] - accuracies[best]
        return Score(100 * accuracies[best], 100 * gap, run["val_loss"][best], len(accuracies))


def page(runs: Sequence[Run], cases: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the whole page.

    Args:
        runs: Finished runs, those of the first of ``cases`` among them; runs of other cases are left out.
        cases: Name to what it changes in the base, which is the first one.
    """
    base, *others = cases
    runs = [run for run in runs if run["case"] in cases]
    by_case = {case: {run["seed"]: run for run in runs if run["case"] == case} for case in cases}
    seeds = by_case[base]
    first = next(iter(seeds.values()))
    shown = _SHOWN.format(
        seeds=len(seeds),
        needed=stdtrit(len(seeds) - 1, 0.975),
        cases=len(others),
        by_chance=0.05 * len(others),
    )
    introduction = _INTRODUCTION.format(
        base=_settings(first["config"]),
        seeds=len(seeds),
        shown=shown if len(seeds) > 1 else "",
        **first["images"],
    )
    made = _MADE.format(
        machine=_united(f"{run['machine']['cpu']} ({_side_by_side(run['machine'])})" for run in runs),
        hours=sum(run["seconds"] for run in runs) / 3600,
        versions=_united(f"Python {run['versions']['python']} and torch {run['versions']['torch']}" for run in runs),
    )
    table = [_line(_HEADINGS), _line(["---"] * len(_HEADINGS))]
    table += [_line(_cells(case, cases[case], by_case[case], seeds)) for case in cases if by_case[case]]
    waiting = [case for case in cases if len(by_case[case]) < len(seeds)]
    missing = [f"Not all runs have been made yet of: {', '.join(waiting)}.\n"] if waiting else []
    return "\n".join([introduction, *table, "", *missing, made])


def _cells(case: str, changes: Mapping[str, Any], runs: Mapping[int, Run], base: Mapping[int, Run]) -> Iterator[str]:
    scores = {seed: score for seed, run in runs.items() if (score := Score.of(run)) is not None}
    yield case
    yield _settings(changes)
    if not scores:
        yield from ["diverged", "", "", "", "", ""]
        return
    pairs = [(score, other) for seed, score in scores.items() if (other := Score.of(base[seed])) is not None]
    yield f"{mean(score.accuracy for score in scores.values()):.1f}"
    yield _difference([score.accuracy - other.accuracy for score, other in pairs]) if changes else ""
    yield f"{mean(score.gap for score in scores.values()):.1f}"
    yield _difference([score.gap - other.gap for score, other in pairs]) if changes else ""
    yield f"{mean(score.loss for score in scores.values()):.2f}"
    yield f"{mean(score.epochs for score in scores.values()):.0f}"


def _difference(values: Sequence[float]) -> str:
    error = f" ± {stdev(values) / sqrt(len(values)):.1f}" if len(values) > 1 else ""
    return f"{mean(values):+.1f}{error}"


def _settings(config: Mapping[str, Any]) -> str:
    spelled = (f"{name} {value if isinstance(value, str) else json.dumps(value)}" for name, value in config.items())
    return ", ".join(f"`{text}`" for text in spelled)


def _side_by_side(machine: Mapping[str, Any]) -> str:
    return f"{machine['processes']} runs side by side, {machine['threads']} thread each"


def _united(texts: Iterator[str]) -> str:
    return "; ".join(dict.fromkeys(texts))


def _line(cells: Sequence[str] | Iterator[str]) -> str:
    return f"| {' | '.join(cells)} |"
