"""``tuner.run``: a search from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuner.hyperparameters.table import TRAINABLES
from tuner.space.read import read_search_file
from tuner.study.observer import Observer, Silent
from tuner.study.runner import Outcome, run_search


def run(
    path: str | Path,
    *,
    trials: int | None = None,
    results: str | Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    warm_start: Sequence[str] | None = None,
    resume: bool = False,
    address: str | None = None,
    observer: Observer | None = None,
) -> Outcome:
    """Run a search file to its end.

    Args:
        path: The search file.
        trials: How many trials, instead of the file's ``search.trials``.
        results: Folder for results, or ``s3://bucket/prefix``, instead of the file's; relative to the current folder.
        overrides: Dotted path to value, such as ``{"parameters.lr": 0.1}``.
        warm_start: Names of earlier searches to begin with, instead of the file's ``search.warm_start``.
        resume: Go on with a search that was interrupted.
        address: A Ray cluster to run on: ``auto``, HOST or HOST:PORT; None for this machine.
        observer: Shown what happens.

    Raises:
        TunerError: The file, the data or the machine cannot do what is asked, or results cannot be written.
    """
    flags: dict[str, tuple[str, Any]] = {key: (key, value) for key, value in (overrides or {}).items()}
    if trials is not None:
        flags["search.trials"] = ("trials", trials)
    if results is not None:
        flags["results"] = ("results", str(results))
    if warm_start is not None:
        flags["search.warm_start"] = ("warm_start", list(warm_start))
    file = read_search_file(Path(path), trainables=TRAINABLES, flags=flags)
    return run_search(file, resume=resume, address=address, observer=observer or Silent())
