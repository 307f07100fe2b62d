"""A search file, with what the command line says over it, to a ``SearchFile``, or to all that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from tuner.facts.addresses import SCHEME, address_problem, is_address, without_secrets
from tuner.facts.fields import Field
from tuner.facts.records import IN_OWN_FILES, MADE_HERE
from tuner.facts.rungs import default_grace_period
from tuner.space.chosen import check_sampler, check_several, chosen_settings
from tuner.space.constraints import check_satisfiable, constrained, read_constraints, read_points
from tuner.space.files import DESCRIPTORS, read_text
from tuner.space.metric_section import read_metrics
from tuner.space.overrides import Flags, override
from tuner.space.parameters_section import ParametersSection, budget, read_parameters
from tuner.space.problems import Place, Reporter
from tuner.space.rules import warn_of_excluded, with_rules
from tuner.space.searchfile import LIMIT_NAMES, Data, Resources, Scheduler, Search, SearchFile
from tuner.space.sections import SECTIONS, TOP, TOP_KEYS, Section, keys_of, read_section
from tuner.space.space import Space
from tuner.space.usercode import trainable_problem
from tuner.space.warm_start import read_warm_start
from tuner.space.yaml_nodes import Node, node_of, read_yaml

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def read_search_file(
    path: Path,
    overrides: Sequence[str] = (),
    *,
    trainables: Mapping[str, Mapping[str, Field]],
    flags: Flags | None = None,
) -> SearchFile:
    """Return a search file, every setting resolved.

    Args:
        path: The file. Relative paths in it are relative to its folder, those of the command line to the current one.
        overrides: The texts ``PATH=VALUE`` that follow ``--set``, later ones over earlier ones.
        trainables: Name of each built-in trainable to its fields.
        flags: Dotted path of a key to the dedicated option as spelled and its value:
            ``{"search.trials": ("--trials", 10)}``; an error together with an override of the same key.

    Raises:
        SearchFileError: All that is wrong with the file and the overrides.
        UsageError: The file is missing, unreadable, too large, or no text.
    """
    text = read_text(path)
    report = Reporter()
    root = read_yaml(text, str(path), report)
    if root is not None and root.content is None:
        report.error(Place(str(path)), "the file is empty; a search file has at least 'parameters:'")
    elif root is not None and root.mapping is None:
        report.error(root.place, f"a search file is a mapping with some of the keys {', '.join(TOP_KEYS)}")
    if root is None or root.mapping is None:
        report.raise_errors()
        raise AssertionError("an unreadable file is reported")
    return read_nodes(root, path, text, overrides, trainables=trainables, flags=flags, report=report)


def read_nodes(
    root: Node,
    path: Path,
    text: str,
    overrides: Sequence[str] = (),
    *,
    trainables: Mapping[str, Mapping[str, Field]],
    flags: Flags | None = None,
    report: Reporter,
) -> SearchFile:
    """Return what nodes say that need not come from a search file: a trial's settings, or a configuration alone.

    Args:
        root: A mapping with the keys of a search file.
        path: Stands for the file: it names the search where no ``name`` is given, and its folder is where relative
            paths begin.
        text: The file's text.
        overrides: As for ``read_search_file``.
        trainables: As for ``read_search_file``.
        flags: As for ``read_search_file``.
        report: Takes the problems, and may hold some already.

    Raises:
        SearchFileError: All that is wrong.
    """
    root = override(root, overrides, flags or {}, trainables, report)
    return _Reading(path, text, root, trainables, report).file()


def read_settings(
    settings: Mapping[str, Any],
    source: str,
    overrides: Sequence[str] = (),
    *,
    trainables: Mapping[str, Mapping[str, Field]],
) -> SearchFile:
    """Return a search from what ``SearchFile.settings`` gave, as search.json holds it.

    Args:
        settings: Of the search. No path is among them, so that one's own trainable is looked for in the current folder.
        source: What problems name as their source.
        overrides: The texts ``PATH=VALUE`` that follow ``--set``.
        trainables: Name of each built-in trainable to its fields.

    Raises:
        SearchFileError: All that is wrong with the settings and the overrides.
    """
    written = {**settings, "parameters": {name: _entry(item) for name, item in settings["parameters"].items()}}
    root = node_of(written, Place(source))
    return read_nodes(root, Path(source), "", overrides, trainables=trainables, report=Reporter())


def _entry(alternatives: Sequence[Mapping[str, Any]]) -> Any:
    """Return a parameter's recorded alternatives as a file would write them."""
    shortened = [
        {key: value for key, value in item.items() if key == "value" or value not in (None, {})}
        for item in alternatives
    ]
    return shortened[0].get("value", shortened[0]) if len(shortened) == 1 and "when" not in shortened[0] else shortened


class _Reading:
    """One file on its way: the nodes, what was read so far, and the problems."""

    def __init__(
        self, path: Path, text: str, root: Node, trainables: Mapping[str, Mapping[str, Field]], report: Reporter
    ) -> None:
        self._path = path
        self._text = text
        self._whole = Place(str(path))
        self._folder = path.absolute().parent
        self._nodes = root.mapping or {}
        self._report = report
        self._top = read_section(root, TOP, TOP_KEYS, report)
        self._trainables = trainables
        self._fields = self._fields_of(self._top.values["trainable"])

    def file(self) -> SearchFile:
        self._check_trainable()
        sections = {
            name: read_section(self._nodes.get(name), SECTIONS[name], keys_of(name), self._report)
            for name in SECTIONS
            if name != "metric"
        }
        metrics = read_metrics(
            self._nodes.get("metric"), self._report, whole=self._whole, builtin=self._fields is not None
        )
        if "parameters" not in self._nodes:
            self._report.error(self._whole, "'parameters' is missing: the hyperparameters to search")
        parameters = read_parameters(self._nodes.get("parameters"), self._fields, self._report)
        space, points = self._space(parameters, sections["search"])
        name = self._name()
        warm_start = read_warm_start(sections["search"].nodes.get("warm_start"), name, self._report)
        built = {
            "name": name,
            "results": self._results(),
            "data": self._data(sections["data"]),
            "metrics": metrics,
            "scheduler": self._scheduler(sections["scheduler"], parameters),
            "resources": self._resources(sections["resources"]),
            "search": self._search(
                sections["search"], points, space, parameters, warm_start=warm_start, metrics=len(metrics)
            ),
        }
        if not self._report.errors:
            self._warn_small(space, sections["search"])
        self._check_gpu_hours(sections["search"], sections["resources"])
        self._report.raise_errors()
        return SearchFile(
            **{**self._top.values, **built},
            path=self._path,
            text=self._text,
            space=space,
            warnings=self._report.problems,
        )

    def _place(self, section: Section, key: str) -> Place:
        return section.nodes[key].place if key in section.nodes else self._whole

    def _fields_of(self, trainable: str) -> Mapping[str, Field] | None:
        """Return the fields of a built-in trainable, a misspelled one as well; None for one's own."""
        near = [] if ":" in trainable else get_close_matches(trainable, self._trainables, n=1)
        return self._trainables[near[0]] if near else None

    def _check_trainable(self) -> None:
        wrong = trainable_problem(self._top.values["trainable"], self._trainables, self._folder)
        if wrong is not None:
            self._report.error(self._place(self._top, "trainable"), wrong)

    def _space(self, parameters: ParametersSection, search: Section) -> tuple[Space, tuple[dict[str, object], ...]]:
        fields = self._fields or {}
        constraints = read_constraints(self._nodes.get("require"), parameters.names, fields, self._report)
        space = parameters.space
        # What is said about whole configurations would only repeat what is wrong with their parts.
        if parameters.good:
            before = self._report.errors
            space = with_rules(space, parameters.entries, fields, self._report)
            space = constrained(space, constraints, fields, self._report)
            if self._report.errors == before:
                node = constraints[0][0] if constraints else self._nodes.get("parameters")
                check_satisfiable(space, self._whole if node is None else node.place, self._report)
                warn_of_excluded(space, parameters.entries, self._report)
        return space, read_points(search.nodes.get("points"), space, self._report) if parameters.whole else ()

    def _name(self) -> str:
        name = self._top.values["name"]
        if name is None:
            name = self._path.stem
            if _NAME.fullmatch(name) is None or self._path.parent in DESCRIPTORS:
                self._report.error(self._whole, f"'{name}' cannot name a search; set 'name', such as name: my-search")
        elif _NAME.fullmatch(name) is None:
            self._report.error(
                self._place(self._top, "name"),
                f"a name has 1 to 63 of a-z, 0-9, '.', '_', '-' and begins with a letter or digit, unlike '{name}'",
            )
        return str(name)

    def _results(self) -> str:
        value = self._top.values["results"]
        if value is None:
            return str(Path.cwd() / "results")
        if _URL.match(value) is None:
            return self._absolute(value, self._top.nodes["results"])
        if not is_address(value):
            wrong: str | None = f"results is a folder or {SCHEME}bucket/prefix, not {without_secrets(value)}"
        elif (wrong := address_problem(value)) is not None:
            wrong = f"results {without_secrets(value)} {wrong}"
        if wrong is not None:
            place = self._place(self._top, "results")
            text = None if place.text is None else without_secrets(place.text)
            self._report.error(replace(place, source=without_secrets(place.source), text=text), wrong)
        return str(value).rstrip("/")

    def _data(self, section: Section) -> Data | None:
        if self._fields is None:
            if section.nodes:
                key = self._nodes["data"].key or self._nodes["data"].place
                self._report.error(key, "'data' is for the built-in trainable; one's own loads its data itself")
            return None
        root, dataset = section.values["root"], section.values["dataset"]
        if root is None and dataset in IN_OWN_FILES:
            message = f"'{dataset}' needs 'root', the folder where the images lie"
            self._report.error(self._place(section, "dataset"), message)
        if root is not None and dataset in MADE_HERE:
            self._report.error(
                self._place(section, "root"), f"'root' has no meaning for {dataset}, which needs no files"
            )
        paths = {
            key: self._absolute(section.values[key], section.nodes[key])
            for key in ("root", "weights")
            if section.values[key] is not None
        }
        return Data(**{**section.values, **paths})

    def _absolute(self, value: str, node: Node) -> str:
        base = self._folder if node.place.in_file else Path.cwd()
        try:
            return str((base / Path(value).expanduser()).resolve())
        except (OSError, RuntimeError, ValueError) as error:  # an unknown ~user, a circle of links, a NUL
            self._report.error(node.place, f"this cannot be a path: {error}")
            return value

    def _search(
        self,
        section: Section,
        points: tuple[dict[str, object], ...],
        space: Space,
        parameters: ParametersSection,
        *,
        warm_start: tuple[str, ...],
        metrics: int,
    ) -> Search:
        options = chosen_settings("search", section, self._report)
        check_several(section, metrics, self._place(section, "algorithm"), self._report)
        if parameters.good:
            place = self._place(section, "algorithm")
            check_sampler(section, options, self._report, space=space, entries=parameters.entries, place=place)
        values = {name: section.values[name] for name in ("algorithm", "trials", "seed", "replicates", *LIMIT_NAMES)}
        return Search(**values, points=points, options=options, warm_start=warm_start)

    def _scheduler(self, section: Section, parameters: ParametersSection) -> Scheduler:
        options = chosen_settings("scheduler", section, self._report)
        values = {name: section.values[name] for name in ("type", "grace_period", "reduction_factor", "max_epochs")}
        asked = values["max_epochs"]
        if self._fields is not None:
            values["max_epochs"] = budget(parameters, self._fields, self._report)
            if asked not in (None, values["max_epochs"]):
                message = "the built-in trainable's budget is parameters.epochs; leave 'max_epochs' out"
                self._report.error(self._place(section, "max_epochs"), message)
        elif asked is None and values["type"] != "none":
            node = self._nodes.get("scheduler")
            place = self._whole if node is None else node.key or node.place
            self._report.error(place, "'scheduler.max_epochs' is missing: how many epochs does a trial have at most?")
        budget_epochs, grace = values["max_epochs"], values["grace_period"]
        if budget_epochs is not None and grace is None:
            values["grace_period"] = default_grace_period(budget_epochs)
        elif budget_epochs is not None and grace >= budget_epochs and values["type"] != "none":
            message = f"the grace period reaches the budget of {budget_epochs} epochs, so no trial is stopped early"
            self._report.warn(self._place(section, "grace_period"), message)
        further = {name: value for name, value in options.items() if name not in values}
        return Scheduler(**values, options=further)

    def _resources(self, section: Section) -> Resources:
        gpus = section.values["gpus_per_trial"]
        if gpus > 1 and self._fields is not None:
            message = f"the built-in trainable trains on one GPU, so gpus_per_trial is at most 1, not {gpus:g}"
            self._report.error(self._place(section, "gpus_per_trial"), message)
        elif gpus > 1 and gpus != int(gpus):
            message = f"gpus_per_trial above 1 must be whole, not {gpus}: a trial has a share of one GPU, or whole ones"
            self._report.error(self._place(section, "gpus_per_trial"), message)
        return Resources(**section.values)

    def _check_gpu_hours(self, search: Section, resources: Section) -> None:
        if search.values["gpu_hours"] is not None and resources.values["gpus_per_trial"] == 0:
            message = (
                "'gpu_hours' has no meaning where no trial has a GPU; set resources.gpus_per_trial, or leave it out"
            )
            self._report.error(self._place(search, "gpu_hours"), message)

    def _warn_small(self, space: Space, search: Section) -> None:
        size, trials = space.size(), search.values["trials"]
        if size is not None and size < trials:
            message = f"the space has {size} configuration{'s' * (size != 1)}, fewer than the {trials} trials"
            self._report.warn(self._place(search, "trials"), message)
