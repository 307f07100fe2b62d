"""A search that lies in a results folder, as it can be worked with again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tuner.facts.errors import ResultsDamagedError, UsageError, relative_to_cwd
from tuner.facts.records import IN_OWN_FILES
from tuner.hyperparameters.table import TRAINABLES
from tuner.space.read import read_settings
from tuner.space.searchfile import SearchFile
from tuner.space.space import Space
from tuner.space.usercode import lies_in
from tuner.study.folder import Folder, differences, portable_settings

#: What problems with settings name as their source. Relative, so that one's own trainable is looked for, and imported
#: from, where the command was called: no results folder is ever on the import path.
_SOURCE = "search.json"
_ROOT = ("root", "data.root")
_TRAINABLE = ("trainable",)


def stored_search(folder: Folder, overrides: Sequence[str] = ()) -> SearchFile:
    """Return the settings of a search.

    Args:
        folder: It holds a search.
        overrides: Texts ``KEY=VALUE``; where files lie, resources and retries may differ, as on a
            resume. Without data.root the images of one's own files are nowhere: ``data.root`` is None then.

    Raises:
        ResultsDamagedError: search.json is not what was written.
        UsageError: The overrides make another search of it, or its trainable is somewhere else than in the current
            folder and no override names it: a results folder may be somebody else's and decides nothing about imports.
    """
    recorded = _recorded(folder)
    file = _read(folder.description()["settings"], overrides)
    differing = differences(portable_settings(recorded), portable_settings(file))
    if differing:
        raise UsageError(
            f"only where files lie, limits, replicates, resources and retries may differ from the search's: "
            f"{'; '.join(differing)}"
        )
    if ":" in file.trainable and not (_names(_TRAINABLE, overrides) or lies_in(file.trainable, Path.cwd())):
        raise UsageError(
            f"{file.name} trains {file.trainable}, which does not lie in the current folder; results alone import "
            f"nothing, so go to its folder, or say that it is yours: --set trainable={file.trainable}"
        )
    return file


def stored_space(folder: Folder) -> Space:
    """Return what a search may propose.

    Raises:
        ResultsDamagedError: search.json is not what was written.
    """
    return _recorded(folder).space


def names_root(overrides: Sequence[str]) -> bool:
    """Return whether texts ``KEY=VALUE`` say where the images lie."""
    return _names(_ROOT, overrides)


def _names(keys: Sequence[str], overrides: Sequence[str]) -> bool:
    return any(text.partition("=")[0].strip() in keys for text in overrides)


def _recorded(folder: Folder) -> SearchFile:
    try:
        return _read(folder.description()["settings"], ())
    except (KeyError, TypeError, AttributeError, ValueError) as error:  # of what is no error of a search file
        raise ResultsDamagedError(f"{relative_to_cwd(folder.path)}/search.json holds no settings: {error!r}") from error


def _read(settings: Mapping[str, Any], overrides: Sequence[str]) -> SearchFile:
    """Read settings; the folder of one's own files, which no result records, may lack."""
    data = settings.get("data")
    if data is None or data.get("dataset") not in IN_OWN_FILES:
        return read_settings(settings, _SOURCE, overrides, trainables=TRAINABLES)
    nowhere = {**settings, "data": {**data, "root": "."}}
    file = read_settings(nowhere, _SOURCE, overrides, trainables=TRAINABLES)
    assert file.data is not None
    return file if names_root(overrides) else replace(file, data=replace(file.data, root=None))
