"""Every key of a search file outside ``parameters``: its type, bounds, default and meaning, and how it is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuner.facts.fields import Field, Kind
from tuner.facts.records import DATASETS
from tuner.space.algorithms import SAMPLER_FIELDS, SCHEDULER_FIELDS
from tuner.space.problems import Reporter, suggestion
from tuner.space.yaml_nodes import Node

MAX_SEED = 2**32 - 1


def _table(*fields: Field) -> dict[str, Field]:
    return {item.name: item for item in fields}


def _count(name: str, default: int | None, meaning: str, minimum: int = 1, maximum: int = 10**9) -> Field:
    return Field(name, Kind.INTEGER, default, meaning, minimum=minimum, maximum=maximum)


def _duration(name: str, meaning: str) -> Field:
    return Field(name, Kind.REAL, None, meaning, unit="seconds", minimum=0, above=True, maximum=1e9)


#: Keys at the top that hold one value.
TOP: Mapping[str, Field] = _table(
    Field("name", Kind.TEXT, None, "Name of the search and of its folder; null is the file's own, without its ending."),
    Field("trainable", Kind.TEXT, "cifar", "cifar, the built-in training, or package.module:function of your own."),
    Field("results", Kind.TEXT, None, "Folder for results, or s3://bucket/prefix; null is results/ where you are."),
    _count("retries", 3, "How often a trial whose process or node was lost is started again.", 0, 1000),
    _duration("trial_timeout", "Time without a report after which a trial fails; null is no limit."),
    _count("keep_checkpoints", 3, "How many of the best checkpoints the search keeps.", 0, 10**6),
)

#: Section to the keys in it.
SECTIONS: Mapping[str, Mapping[str, Field]] = {
    "data": _table(
        Field(
            "dataset",
            Kind.CHOICE,
            "cifar10",
            "A torchvision name (downloaded once), or parquet, folder, digits, synthetic.",
            choices=DATASETS,
        ),
        Field("root", Kind.TEXT, None, "Folder where it lies; null is the cache folder."),
        _count("validation", 5000, "Images held out of the training split, stratified."),
        _count("split_seed", 0, "Seed of that split.", 0, MAX_SEED),
        _count("train_images", None, "Size of a stratified subset of the other training images; null is all."),
        Field("weights", Kind.TEXT, None, "File of pretrained weights; null is torchvision's, in the cache folder."),
    ),
    "metric": _table(
        Field("name", Kind.TEXT, "val_accuracy", "What the search makes better."),
        Field("goal", Kind.CHOICE, "maximize", "Which way is better.", choices=("maximize", "minimize")),
    ),
    "search": _table(
        *SAMPLER_FIELDS,
        _count("trials", 64, "How many trials."),
        _count("seed", 0, "From which everything random comes.", 0, MAX_SEED),
        _count(
            "replicates",
            5,
            "Runs of a configuration that leads, on other seeds, where a tenth of the trials diverge; 1 is no other.",
        ),
        _duration("time_budget", "Active time; null is no limit."),
        _count("epoch_budget", None, "Epochs of all trials together; null is no limit.", maximum=10**15),
        Field(
            "gpu_hours",
            Kind.REAL,
            None,
            "GPUs times the hours for which trials hold them; null is no limit.",
            minimum=0,
            above=True,
            maximum=1e9,
        ),
        Field(
            "min_improvement",
            Kind.REAL,
            None,
            "Expected improvement of the next trial below which the search ends, in the metric's unit; null is none.",
            minimum=0,
            above=True,
            maximum=1e300,
            source="Jones, Schonlau and Welch 1998",
        ),
    ),
    "scheduler": _table(*SCHEDULER_FIELDS),
    "resources": _table(
        Field("cpus_per_trial", Kind.REAL, 1, "CPUs of a trial.", minimum=0, above=True, maximum=1e5),
        Field("gpus_per_trial", Kind.REAL, 0, "GPUs of a trial; 0.5 puts two on one GPU.", minimum=0, maximum=1e5),
        _count("max_concurrent", None, "Most trials side by side; null is what the machine holds."),
        Field("reuse_workers", Kind.BOOLEAN, True, "Whether a process runs one trial after the other."),
    ),
}

#: Keys that hold lists or mappings, to their meaning; they are read by modules of their own.
OTHERS: Mapping[str, str] = {
    "search.points": "Full or partial configurations to try first.",
    "search.warm_start": "Names of earlier searches whose best configurations run among the first trials.",
    "require": "Conditions between parameters that every configuration fulfils.",
    "parameters": "The hyperparameters: a bare value is fixed, a mapping is searched.",
}

TOP_KEYS: tuple[str, ...] = (*TOP, *SECTIONS, "require", "parameters")

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def keys_of(section: str) -> tuple[str, ...]:
    """Return the keys of a section."""
    return (*SECTIONS[section], *(key.split(".")[1] for key in OTHERS if key.startswith(f"{section}.")))


@dataclass(frozen=True)
class Section:
    """What a section says.

    Attributes:
        values: Key to value, the default where the file gives none or a wrong one.
        nodes: Key to node of those that the file gives.
    """

    values: Mapping[str, Any]
    nodes: Mapping[str, Node]


def read_section(node: Node | None, fields: Mapping[str, Field], keys: tuple[str, ...], report: Reporter) -> Section:
    """Return what a section says; wrong values and unknown keys are reported.

    Args:
        node: The section; None or null leaves everything at its default.
        fields: The keys read here.
        keys: All keys that may stand in the section.
        report: Takes the problems.
    """
    nodes = {} if node is None or node.content is None else node.mapping
    if node is not None and nodes is None:
        report.error(node.place, f"this must be a mapping with some of the keys {', '.join(keys)}")
    nodes = nodes or {}
    for key, item in nodes.items():
        if key not in keys:
            report.error(item.key or item.place, f"unknown key '{key}'{suggestion(key, keys)}")
    values = {name: item.default for name, item in fields.items()}
    values |= {name: _value(node, fields[name], report) for name, node in nodes.items() if name in fields}
    return Section(values, nodes)


def _value(node: Node, item: Field, report: Reporter) -> Any:
    value = node.plain
    if item.unit == "seconds" and isinstance(value, str):
        found = _DURATION.fullmatch(value)
        if found is None:
            report.error(node.place, f"'{item.name}' must be seconds, or a time such as 30s, 90m, 2h, not '{value}'")
            return item.default
        value = float(found[1]) * _SECONDS[found[2]]
    wrong = item.problem(value)
    if wrong is None and value == "":
        wrong = "must not be empty"
    if wrong is None:
        return value
    near = suggestion(value, item.choices) if isinstance(value, str) else ""
    report.error(node.place, f"'{item.name}' {wrong}{near}")
    return item.default
