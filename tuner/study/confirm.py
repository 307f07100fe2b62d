"""``tuner confirm``: are the winners of a search really better than the default?

The best trials and the default configuration are trained again with fresh seeds on fresh splits of the training images,
each with the same ones, at full budget. The test split stays closed. What comes of it is ``confirm.json``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuner.datasets.split import Reserved
from tuner.facts.configs import without_seed
from tuner.facts.errors import UsageError, relative_to_cwd
from tuner.facts.records import Goal
from tuner.facts.seeds import derived_seed
from tuner.hyperparameters.table import applying
from tuner.journal.history import History, Trial
from tuner.journal.lock import refuse_if_held
from tuner.journal.ranking import Ranking
from tuner.journal.storage import write_json
from tuner.space.searchfile import Data, SearchFile
from tuner.study.bias_variance import decompose
from tuner.study.compare import Compared, compare
from tuner.study.comparison import Comparison, Configuration, fresh_seeds
from tuner.study.default import default_configuration
from tuner.study.folder import Folder
from tuner.study.observer import Observer
from tuner.study.paired import Difference, Verdict
from tuner.study.run_results import Results, best_score, judged, results, spelled_difference
from tuner.study.stored import stored_search

FILE_NAME = "confirm.json"
DEFAULT = "default"
FORMAT_VERSION = 1

_MOST_RESERVED = 1000


def confirm(
    path: Path, *, top: int, seeds: int, overrides: Sequence[str] = (), address: str | None = None, observer: Observer
) -> tuple[Compared, dict[str, Any] | None]:
    """Compare the best trials of a search with the default configuration.

    Args:
        path: The search's folder.
        top: How many trials, by rank, at least 1.
        seeds: How many fresh seeds, at least 2.
        overrides: As for ``stored_search``.
        address: A Ray cluster to run on, as for ``run_search``.
        observer: Shown what happens.

    Returns:
        How it ended for now, and what confirm.json holds; None where not every run has ended.

    Raises:
        TunerError: What is asked for cannot be compared, or results cannot be written.
    """
    folder = Folder(path)
    refuse_if_held(path)
    file = stored_search(folder, overrides)
    history = folder.history()
    winners = _winners(history, file.metric.goal, top)
    if not winners:
        raise UsageError(f"{relative_to_cwd(path)} has no completed trial to confirm")
    if history.unfinished:
        observer.notice(f"{file.name}: not all of its trials have ended; these are the best so far")
    if len(winners) < top:
        observer.notice(f"{file.name}: only {len(winners)} configurations have completed")
    comparison = _comparison(folder, file, history, winners, seeds)
    compared = compare(comparison, address=address, observer=observer)
    if not comparison.done:
        return compared, None
    record = _record(comparison, winners)
    write_json(path / FILE_NAME, record)
    return compared, record


def _winners(history: History, goal: Goal, count: int) -> list[Trial]:
    """Return the best trials, one of each configuration."""
    places = Ranking(goal, history.trials.values()).distinct(count)
    return [history.trials[place.number] for place in places]


def _comparison(folder: Folder, file: SearchFile, history: History, winners: Sequence[Trial], seeds: int) -> Comparison:
    default = Configuration(DEFAULT, default_configuration(file, history))
    others = [Configuration(f"trial {trial.number}", without_seed(trial.ask.config)) for trial in winners]
    reserved = None
    if file.data is not None:
        images = folder.description()["data"]
        reserved = _reserved(file, images["train_count"], len(images["classes"]))
        file = replace(file, data=_leaving_room(file.data, images["train_count"], reserved))
    return Comparison(
        search=folder,
        file=file,
        folder=folder.path / "confirm",
        title=f"confirm {file.name}",
        configurations=[default, *others],
        seeds=fresh_seeds(file.search.seed, "confirm", seeds),
        reserved=reserved,
    )


def _reserved(file: SearchFile, available: int, classes: int) -> Reserved | None:
    """Return which images no run trains on: as many as validate, but at most 1,000 and a tenth of those that train.

    None where that would be less than one a class.
    """
    assert file.data is not None
    training = file.data.train_images or available - file.data.validation
    count = min(file.data.validation, _MOST_RESERVED, training // 10)
    return Reserved(count, derived_seed(file.search.seed, "confirm reserved")) if count >= classes else None


def _leaving_room(data: Data, available: int, reserved: Reserved | None) -> Data:
    """Return data settings whose training images leave the reserved ones out."""
    if data.train_images is None or reserved is None:
        return data
    return replace(data, train_images=min(data.train_images, available - data.validation - reserved.count))


def _record(comparison: Comparison, winners: Sequence[Trial]) -> dict[str, Any]:
    """Return what confirm.json holds."""
    file = comparison.file
    rows = results(comparison)
    default, *others = rows
    trials = [
        {
            "number": trial.number,
            "search_score": best_score(trial, file.metric.goal),
            **_with_error(comparison, row),
            "difference": vars(difference),
            "sentence": _sentence(row, default, difference, file.metric.name),
        }
        for row, trial, difference in zip(others, winners, judged(others, default), strict=True)
    ]
    return {
        "version": FORMAT_VERSION,
        "search": file.name,
        "metric": {"name": file.metric.name, "goal": str(file.metric.goal)},
        "seeds": list(comparison.seeds),
        "split_seeds": None if file.data is None else comparison.split_seeds,
        "reserved_images": None if comparison.reserved is None else comparison.reserved.count,
        "default": _with_error(comparison, default),
        "default_values": _unlike(default, others[0], builtin=file.data is not None),
        "trials": trials,
        "verdict": trials[0]["sentence"],
    }


def _unlike(default: Results, best: Results, *, builtin: bool) -> dict[str, Any]:
    """Return the values of the default where another configuration has others or none; what is left out counts too."""
    one, two = (applying(row.configuration.config) if builtin else row.configuration.config for row in (default, best))
    return {name: value for name, value in one.items() if name not in two or two[name] != value}


def _with_error(comparison: Comparison, row: Results) -> dict[str, Any]:
    probabilities = comparison.probabilities(row.configuration)
    error = None if probabilities is None else vars(decompose(probabilities, comparison.reserved_labels()))
    return {**row.to_json(), "error": error}


def _sentence(row: Results, default: Results, difference: Difference, metric: str) -> str:
    name = row.configuration.name
    if row.configuration.config == default.configuration.config:
        return f"{name} is the default configuration"
    said = {
        Verdict.BETTER: f"{name} is better than the default",
        Verdict.WORSE: f"{name} is worse than the default",
        Verdict.NOT_SHOWN: f"{name} is not shown to be better or worse than the default",
    }[difference.verdict]
    return f"{said}: {spelled_difference(difference, row, default, metric)}"
