"""What ``tuner train`` trains: the configuration of a trial, or one that stands in a file, and the images for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuner.facts.errors import UsageError, relative_to_cwd
from tuner.facts.records import IN_OWN_FILES
from tuner.hyperparameters.table import TRAINABLES, resolve
from tuner.leaderboard.query import top
from tuner.leaderboard.read import find_search
from tuner.leaderboard.source import leaderboard_of
from tuner.leaderboard.trial import load_trial
from tuner.space.files import read_text
from tuner.space.overrides import Flags
from tuner.space.problems import Place, Reporter
from tuner.space.read import read_nodes
from tuner.space.searchfile import Data, SearchFile
from tuner.space.space import assignments
from tuner.space.yaml_nodes import Node, node_of, read_yaml
from tuner.study.folder import Folder
from tuner.study.stored import names_root

#: Where models lie that come from no search, below the results folder.
WITHOUT_SEARCH = "models"


@dataclass(frozen=True)
class Recipe:
    """One configuration of the built-in trainable, and the images that it is trained on.

    Attributes:
        name: What people call it: ``cifar10-3`` for a trial, the name for a file.
        folder: Where its model goes.
        config: Every hyperparameter that applies, defaults filled in.
        file: The configuration as a search file without a choice; says which images, and which metric tells the best
            epoch where some are held out.
        data: The images, and how training and validation images are told apart.
        search: The search that it comes from; None for a file.
    """

    name: str
    folder: Path
    config: Mapping[str, Any]
    file: SearchFile
    data: Data
    search: Folder | None = None


def from_search(
    results: Path,
    name: str | None,
    *,
    rank: int | None = None,
    trial: int | None = None,
    overrides: Sequence[str] = (),
    flags: Flags | None = None,
) -> Recipe:
    """Return what a trial of a search was, to train it anew.

    Args:
        results: The results folder.
        name: The search; None where there is one.
        rank: The trial's place on the leaderboard, or
        trial: its number.
        overrides: Texts ``KEY=VALUE`` that say more of the images, such as ``root=DIR``.
        flags: Dedicated options, as ``read_search_file`` takes them.

    Raises:
        UsageError: No such search or trial, a trainable of one's own, or overrides that change the configuration.
        ResultsDamagedError: A file of the results is not what was written.
    """
    folder = find_search(results, name, how="--from NAME")
    number = _number_at(folder, rank) if rank is not None else trial
    assert number is not None, "the command asks for one of both"
    config = load_trial(folder, number).config
    search = Folder(folder)
    settings = search.description()["settings"]
    if settings["trainable"] not in TRAINABLES:
        raise UsageError(
            f"{folder.name} trains {settings['trainable']}, a function of your own; 'tuner train' trains the built-in "
            f"trainable alone, and 'tuner show {number} --name {folder.name} --config' prints what to call yours with"
        )
    dataset = settings["data"]["dataset"]
    if dataset in IN_OWN_FILES and "data.root" not in (flags or {}) and not names_root(overrides):
        raise UsageError(f"no result records where {dataset} images lie; say --root DIR")
    source = f"{folder.name}-{number}"
    kept = {key: settings[key] for key in ("name", "trainable", "data", "metric") if key in settings}
    root = node_of({**kept, "parameters": config}, Place(source))
    file = read_nodes(root, folder / "space.yaml", "", overrides, trainables=TRAINABLES, flags=flags, report=Reporter())
    recipe = _recipe(file, source, folder / "models" / str(number), search)
    if recipe.config != resolve(config).as_config():
        raise UsageError(
            f"a trial is trained as it is, and --set changes its configuration; write it to a file with "
            f"'tuner show {number} --name {folder.name} --config', change it there, and give that to --config"
        )
    return recipe


def from_file(path: Path, results: Path, *, overrides: Sequence[str] = (), flags: Flags | None = None) -> Recipe:
    """Return what stands in a file that ``tuner show --config`` or ``--search-file`` printed, or that looks like it.

    Args:
        path: The file: hyperparameters alone, or a search file without a choice.
        results: The results folder.
        overrides: Texts ``KEY=VALUE`` over what the file says, such as ``dataset=digits`` or ``name=mine``.
        flags: Dedicated options, as ``read_search_file`` takes them.

    Raises:
        SearchFileError: All that is wrong with the file and the overrides.
        UsageError: The file cannot be read, leaves something to search, or trains a function of one's own.
    """
    text, report = read_text(path), Reporter()
    root = read_yaml(text, str(path), report)
    if root is not None and root.mapping is None:
        report.error(root.place, "a configuration is a mapping of hyperparameters to values, such as lr: 0.1")
    report.raise_errors()
    assert root is not None and root.mapping is not None, "what cannot be read is reported"
    if "parameters" not in root.mapping:
        root = Node({"parameters": root}, root.place)
    file = read_nodes(root, path, text, overrides, trainables=TRAINABLES, flags=flags, report=report)
    if file.data is None:
        raise UsageError(f"{path}: 'tuner train' trains the built-in trainable, not {file.trainable}; call it yourself")
    if file.space.searched:
        raise UsageError(f"{path} leaves {', '.join(file.space.searched)} open; a configuration has one value for each")
    return _recipe(file, file.name, results / WITHOUT_SEARCH / file.name)


def _recipe(file: SearchFile, name: str, folder: Path, search: Folder | None = None) -> Recipe:
    assert file.data is not None
    config = next(assignments(file.space.parameters.values()))  # nothing is left to choose
    return Recipe(name, folder, resolve(config).as_config(), file, file.data, search)


def _number_at(folder: Path, rank: int) -> int:
    source = leaderboard_of(folder)
    found = top(source, 1, where=f"rank == {rank}").table.to_pylist()
    if found:
        return int(found[0]["number"])
    column = source.read(["rank"]).column("rank")
    ranked = len(column) - column.null_count
    there_are = f"ranks run from 1 to {ranked}" if ranked else "no trial has completed yet"
    raise UsageError(f"{relative_to_cwd(folder)} has no trial of rank {rank}; {there_are}")
