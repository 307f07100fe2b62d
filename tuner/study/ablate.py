"""``tuner ablate``: which regularizers of a configuration earn their place?

A trial's configuration is trained as it is, with each of its regularizers off in turn, and with all of them off: the
unregularized baseline. All are trained with the same fresh seeds on the same fresh splits; the test split stays closed.
What comes of it is ``ablate-<number>.json``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuner.facts.configs import without_seed
from tuner.facts.errors import UsageError, relative_to_cwd
from tuner.hyperparameters.regularizers import switched_on, without
from tuner.hyperparameters.table import resolve
from tuner.journal.lock import refuse_if_held
from tuner.journal.storage import write_json
from tuner.space.searchfile import SearchFile
from tuner.study.compare import Compared, compare
from tuner.study.comparison import Comparison, Configuration, fresh_seeds
from tuner.study.folder import Folder
from tuner.study.observer import Observer
from tuner.study.paired import Difference, Verdict
from tuner.study.run_results import Results, judged, results, spelled_difference
from tuner.study.stored import stored_search
from tuner.study.summary import summarized

FULL = "full"
ALL_OFF = "all off"
FORMAT_VERSION = 1

_GAP = "generalization_gap"

#: What it says of a regularizer that the configuration is better or worse without it.
_VERDICTS = {
    Verdict.WORSE: "earns its place",
    Verdict.BETTER: "does harm",
    Verdict.NOT_SHOWN: "is not shown to matter",
}


def file_name(number: int) -> str:
    """Return the name of the result file of a trial."""
    return f"ablate-{number}.json"


def ablate(
    path: Path,
    number: int,
    *,
    seeds: int,
    overrides: Sequence[str] = (),
    address: str | None = None,
    observer: Observer,
) -> tuple[Compared, dict[str, Any] | None]:
    """Switch the regularizers of a trial off.

    Args:
        path: The search's folder.
        number: The trial.
        seeds: How many fresh seeds, at least 2.
        overrides: As for ``stored_search``.
        address: A Ray cluster to run on, as for ``run_search``.
        observer: Shown what happens.

    Returns:
        How it ended for now, and what the result file holds; None where not every run has ended.

    Raises:
        TunerError: There is nothing to compare, or results cannot be written.
    """
    folder = Folder(path)
    refuse_if_held(path)
    file = stored_search(folder, overrides)
    if file.data is None:
        raise UsageError(f"only the built-in trainable's regularizers are known, not those of {file.trainable}")
    config = _config(folder, number)
    off = _switched_off(config, number)
    comparison = Comparison(
        search=folder,
        file=file,
        folder=path / "ablate" / str(number),
        title=f"ablate {file.name}-{number}",
        configurations=[Configuration(FULL, config), *(_without(config, name, names) for name, names in off.items())],
        seeds=fresh_seeds(file.search.seed, "ablate", seeds),
    )
    compared = compare(comparison, address=address, observer=observer)
    if not comparison.done:
        return compared, None
    record = _record(comparison, number, off)
    write_json(path / file_name(number), record)
    return compared, record


def _config(folder: Folder, number: int) -> dict[str, Any]:
    trials = folder.history().trials
    if number not in trials:
        raise UsageError(
            f"{relative_to_cwd(folder.path)} has no trial {number}; it has {len(trials)} trials, from 0 on"
        )
    return without_seed(trials[number].ask.config)


def _switched_off(config: dict[str, Any], number: int) -> dict[str, list[str]]:
    """Return the name of each configuration that lacks something to the regularizers that are off in it."""
    names = list(switched_on(config))
    if not names:
        raise UsageError(f"trial {number} has no regularizer on, so there is none to switch off")
    alone = {f"without {name}": [name] for name in names}
    return alone if len(names) == 1 else {**alone, ALL_OFF: names}


def _without(config: dict[str, Any], name: str, names: Sequence[str]) -> Configuration:
    changed = without(config, names)
    try:
        resolve(changed)
    except UsageError as error:
        raise UsageError(f"{name} this configuration cannot be trained: {error}") from error
    return Configuration(name, changed)


def _record(comparison: Comparison, number: int, off: dict[str, list[str]]) -> dict[str, Any]:
    """Return what the result file holds."""
    file = comparison.file
    full, *others = results(comparison)
    return {
        "version": FORMAT_VERSION,
        "search": file.name,
        "number": number,
        "metric": {"name": file.metric.name, "goal": str(file.metric.goal)},
        "seeds": list(comparison.seeds),
        "split_seeds": comparison.split_seeds,
        "regularizers": switched_on(full.configuration.config),
        "full": _with_gap(full, file),
        "ablations": [
            {
                "off": off[row.configuration.name],
                **_with_gap(row, file),
                "difference": vars(difference),
                "verdict": _VERDICTS[difference.verdict],
                "sentence": _sentence(off[row.configuration.name], row, full, difference, file.metric.name),
            }
            for row, difference in zip(others, judged(others, full), strict=True)
        ],
    }


def _with_gap(row: Results, file: SearchFile) -> dict[str, Any]:
    gap = row.scores if file.metric.name == _GAP else row.metric(_GAP)
    return {**row.to_json(), _GAP: summarized(gap)}


def _sentence(names: Sequence[str], row: Results, full: Results, difference: Difference, metric: str) -> str:
    subject, absent = (names[0], "it") if len(names) == 1 else ("regularization as a whole", "any")
    said = spelled_difference(difference, row, full, metric)
    return f"{subject} {_VERDICTS[difference.verdict]}: without {absent} {said}"
