"""A search file that gives a search another space: what may differ, and how the new space follows from the old."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuner.facts.errors import UsageError, relative_to_cwd
from tuner.hyperparameters.table import TRAINABLES
from tuner.space.change import UNCHANGED, Change
from tuner.space.problems import Place, Reporter, suggestion
from tuner.space.read import read_search_file
from tuner.space.sampling import sample
from tuner.space.searchfile import Search, SearchFile
from tuner.space.space import Space
from tuner.space.yaml_nodes import read_yaml
from tuner.study.folder import Folder, differences, portable_settings, respaced
from tuner.study.spaces import read_recorded


def read_change(
    folder: Folder, path: Path, overrides: Sequence[str], renames: Sequence[str], defaults: Sequence[str]
) -> tuple[SearchFile, Change | None]:
    """Return a search file for the search in a folder, and how its space follows; None where it is the same.

    Name, number of trials and the earlier searches that it began with are the search's, whatever the file says of them.

    Args:
        folder: It holds the search.
        path: The file.
        overrides: Texts ``KEY=VALUE`` over it.
        renames: Texts ``OLD=NEW``.
        defaults: Texts ``NAME=VALUE``, VALUE read as YAML: what configurations that lack the parameter had.

    Raises:
        SearchFileError: All that is wrong with the file.
        UsageError: A rename or a default is wrong, a new parameter has no default, or other settings differ.
    """
    record = folder.description()
    before = record["settings"]
    file = read_search_file(path, overrides, trainables=TRAINABLES, flags={"name": ("NAME", before["name"])})
    file = replace(file, search=_kept(file.search, before["search"]))
    now = portable_settings(file)
    if differing := differences(respaced(before, now), now):
        raise UsageError(
            f"{path} has other settings than {relative_to_cwd(folder.path)}: {'; '.join(differing)}; only parameters "
            f"but epochs, require and points may differ, and --set puts the others right"
        )
    old, new = before["parameters"], now["parameters"]
    report = Reporter()
    renamed = _renamed(renames, old, new, record["hyperparameters"], report)
    had = {renamed.get(name, name) for name in old}
    given = _defaults(
        defaults, {*had, *new}, _always(read_recorded(before, file).space, renamed) & _always(file.space), report
    )
    report.raise_errors()
    fields = TRAINABLES.get(file.trainable, {})
    unknown = [name for name in new if name not in {*had, *given, *fields}]
    if unknown:
        raise UsageError(
            f"'{unknown[0]}' is new, and nobody knows what the trials so far had: --default {unknown[0]}=VALUE"
            + (f", or --rename OLD={unknown[0]}" if set(old) - set(new) else "")
        )
    if sample(file.space, random.Random(0)) is None:
        raise UsageError(f"no configuration that keeps 'require' was found; {before['name']} keeps its space")
    return file, None if now == respaced(now, before) else Change(renamed, given, fields)


def _kept(search: Search, before: Mapping[str, Any]) -> Search:
    """Return a file's section with what stays the search's: how many trials it had, and what it began with."""
    return replace(search, trials=before["trials"], warm_start=tuple(before.get("warm_start") or ()))


def _always(space: Space, renamed: Mapping[str, str] = UNCHANGED.renamed) -> set[str]:
    """Return the parameters that each configuration has, under their new names."""
    return {renamed.get(name, name) for name, parameter in space.parameters.items() if not parameter.parents}


def _renamed(
    texts: Sequence[str], old: Mapping[str, Any], new: Mapping[str, Any], ever: Iterable[str], report: Reporter
) -> dict[str, str]:
    """Return old name to new name; ``ever`` are the parameters of all spaces so far."""
    renamed: dict[str, str] = {}
    for text in texts:
        place = Place(f"--rename {text}")
        before, equals, after = text.partition("=")
        if not equals:
            report.error(place, "a rename is OLD=NEW, such as lr=learning_rate")
        elif before not in old and after in old and after in new:  # by a driver that was killed after it
            report.error(place, f"the search has '{after}' already, and no '{before}': leave this out")
        elif before not in old:
            report.error(place, f"the search has no parameter '{before}'{suggestion(before, old)}")
        elif after not in new:
            report.error(place, f"'{after}' is not in the new parameters{suggestion(after, new)}")
        elif after in ever:
            report.error(place, f"'{after}' {'is' if after in old else 'was'} another parameter already")
        elif after in renamed.values() or before in renamed:
            report.error(place, f"'{before if before in renamed else after}' is renamed twice")
        else:
            renamed[before] = after
    return renamed


def _defaults(texts: Sequence[str], known: set[str], always: set[str], report: Reporter) -> dict[str, Any]:
    """Return name to default; ``always`` are the parameters that no configuration lacks, before and after."""
    found: dict[str, Any] = {}
    for text in texts:
        place = Place(f"--default {text}")
        name, equals, value = text.partition("=")
        node = read_yaml(value, place.source, report, positions=False) if equals else None
        if not equals:
            report.error(place, "a default is NAME=VALUE, such as dropout=0.0")
        elif name not in known:
            report.error(place, f"no parameter is called '{name}'{suggestion(name, known)}")
        elif name in always:
            report.error(place, f"'{name}' is in both spaces: every trial has a value of its own")
        elif node is not None:
            found[name] = node.plain
    return found
