"""A search file that gives a search another space: what may differ, and how the new space follows from the old."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuner.facts.errors import UsageError
from tuner.hyperparameters.table import TRAINABLES
from tuner.space.change import Change
from tuner.space.problems import Place, Reporter, suggestion
from tuner.space.read import read_search_file
from tuner.space.searchfile import SearchFile
from tuner.space.yaml_nodes import read_yaml
from tuner.study.folder import Folder, portable_settings


def read_change(
    folder: Folder, path: Path, overrides: Sequence[str], renames: Sequence[str], defaults: Sequence[str]
) -> tuple[SearchFile, Change | None]:
    """Return a search file for the search in a folder, and how its space follows; None where it is the same.

    Name and number of trials are the search's, whatever the file says of the latter.

    Args:
        folder: It holds the search.
        path: The file.
        overrides: Texts ``KEY=VALUE`` over it.
        renames: Texts ``OLD=NEW``.
        defaults: Texts ``NAME=VALUE``, VALUE read as YAML: what configurations that lack the parameter had.

    Raises:
        SearchFileError: All that is wrong with the file.
        UsageError: A rename or a default is wrong, or a new parameter has no default.
    """
    before = folder.description()["settings"]
    file = read_search_file(path, overrides, trainables=TRAINABLES, flags={"name": ("NAME", before["name"])})
    now = portable_settings(file)
    old, new = before["parameters"], now["parameters"]
    report = Reporter()
    renamed = _renamed(renames, old, new, report)
    given = _defaults(defaults, {*old, *new}, report)
    report.raise_errors()
    fields = TRAINABLES.get(file.trainable, {})
    unknown = [name for name in new if name not in {*old, *renamed.values(), *given, *fields}]
    if unknown:
        raise UsageError(
            f"'{unknown[0]}' is new, and nobody knows what the trials so far had: --default {unknown[0]}=VALUE"
            + (f", or --rename OLD={unknown[0]}" if set(old) - set(new) else "")
        )
    same = new == old and now["require"] == before["require"]
    file = replace(file, search=replace(file.search, trials=before["search"]["trials"]))
    return file, None if same else Change(renamed, given, fields)


def _renamed(texts: Sequence[str], old: Mapping[str, Any], new: Mapping[str, Any], report: Reporter) -> dict[str, str]:
    renamed: dict[str, str] = {}
    for text in texts:
        place = Place(f"--rename {text}")
        before, equals, after = text.partition("=")
        if not equals:
            report.error(place, "a rename is OLD=NEW, such as lr=learning_rate")
        elif before not in old:
            report.error(place, f"the search has no parameter '{before}'{suggestion(before, old)}")
        elif after not in new:
            report.error(place, f"'{after}' is not in the new parameters{suggestion(after, new)}")
        elif after in old or after in renamed.values() or before in renamed:
            report.error(place, f"'{after}' or '{before}' is another parameter already")
        else:
            renamed[before] = after
    return renamed


def _defaults(texts: Sequence[str], known: set[str], report: Reporter) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in texts:
        place = Place(f"--default {text}")
        name, equals, value = text.partition("=")
        node = read_yaml(value, place.source, report, positions=False) if equals else None
        if not equals:
            report.error(place, "a default is NAME=VALUE, such as dropout=0.0")
        elif name not in known:
            report.error(place, f"no parameter is called '{name}'{suggestion(name, known)}")
        elif node is not None:
            found[name] = node.plain
    return found
