"""A search file that was read and found good: every setting resolved, every path absolute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tuner.facts.errors import Problem
from tuner.facts.records import MEASURED, Metric
from tuner.facts.rungs import Bracket, hyperband_brackets, rung_levels
from tuner.space.algorithms import OFF, fields_of
from tuner.space.domains import Constant, Listed
from tuner.space.parameters import Alternative
from tuner.space.space import Space


@dataclass(frozen=True)
class Data:
    """The images of a built-in trainable.

    Attributes:
        dataset: A torchvision name, parquet, folder, digits or synthetic.
        root: Absolute folder where it lies; None for the cache folder.
        validation: Images held out of the training split.
        split_seed: Seed of that split.
        train_images: Size of a stratified subset of the rest; None for all.
        weights: Absolute path of a file of pretrained weights; None for torchvision's in the cache folder.
    """

    dataset: str
    root: str | None
    validation: int
    split_seed: int
    train_images: int | None
    weights: str | None = None

    def portable(self) -> dict[str, Any]:
        """Return what it says but for paths: files may move between a search and its resume."""
        return {key: value for key, value in vars(self).items() if key not in ("root", "weights")}


#: Keys of ``Search`` that end a search before all its trials are proposed.
LIMIT_NAMES = ("time_budget", "epoch_budget", "gpu_hours", "min_improvement")


@dataclass(frozen=True)
class Search:
    """What proposes configurations, and how many.

    Attributes:
        algorithm: The sampler.
        trials: Number of trials.
        seed: From which everything random comes.
        time_budget: Seconds of active time; None for no limit.
        points: Full or partial configurations to try first.
        warm_start: Names of earlier searches in the same results folder to begin with the best configurations of.
        epoch_budget: Epochs of all trials together; None for no limit.
        gpu_hours: Hours of GPUs that trials hold; None for no limit.
        min_improvement: Smallest expected improvement, in the metric's unit, that is worth a trial; None for any.
        replicates: How often a configuration that leads runs where trials diverge.
        options: The settings of the sampler that apply to it and not to all.
    """

    algorithm: str
    trials: int
    seed: int
    time_budget: float | None
    points: tuple[dict[str, object], ...]
    warm_start: tuple[str, ...] = ()
    epoch_budget: int | None = None
    gpu_hours: float | None = None
    min_improvement: float | None = None
    replicates: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def limits(self) -> dict[str, float | None]:
        """Return what ends the search early, by name."""
        return {name: getattr(self, name) for name in LIMIT_NAMES}

    def settings(self) -> dict[str, Any]:
        """Return all of it as plain values for JSON."""
        return {**{key: value for key, value in vars(self).items() if key != "options"}, **self.options} | {
            "points": list(self.points),
            "warm_start": list(self.warm_start) or None,  # as of a search that was recorded before there was one
        }


@dataclass(frozen=True)
class Scheduler:
    """What stops trials early.

    Attributes:
        type: asha, hyperband, median or none.
        grace_period: Epochs before the first decision; None only where max_epochs is.
        reduction_factor: Factor between rungs, where there are some.
        max_epochs: Budget of a trial; None where one's own trainable runs without a scheduler.
        options: Further settings that apply to this scheduler and not to all.
    """

    type: str
    grace_period: int | None
    reduction_factor: int
    max_epochs: int | None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def exempt(self) -> float:
        """Return the share of the trials that are never stopped."""
        return float(self.options.get("exempt", 0))

    @property
    def brackets(self) -> tuple[Bracket, ...]:
        """Return the brackets that trials are spread over: one with asha, none where no epoch is a rung."""
        if self.type not in ("asha", "hyperband") or self.grace_period is None or self.max_epochs is None:
            return ()
        if self.type == "hyperband":
            return hyperband_brackets(self.grace_period, self.reduction_factor, self.max_epochs)
        return (Bracket(1, rung_levels(self.grace_period, self.reduction_factor, self.max_epochs)),)

    @property
    def rungs(self) -> tuple[int, ...]:
        """Return the epochs that are rungs, of whichever bracket; none where the scheduler has no rungs."""
        return tuple(sorted({level for bracket in self.brackets for level in bracket.rungs}))

    def settings(self) -> dict[str, Any]:
        """Return what applies to it as plain values for JSON; with none, what would apply to asha."""
        values = {key: value for key, value in vars(self).items() if key != "options"} | {**self.options}
        own = {item.name for item in fields_of("scheduler", self.type)} | {"type", "max_epochs"}
        return values if self.type == OFF else {key: value for key, value in values.items() if key in own}


@dataclass(frozen=True)
class Resources:
    """What a trial takes.

    Attributes:
        cpus_per_trial: Above 0.
        gpus_per_trial: A share below 1, or a whole number.
        max_concurrent: Most trials at a time; None for what the machine holds.
        reuse_workers: Whether a process runs one trial after the other.
    """

    cpus_per_trial: float
    gpus_per_trial: float
    max_concurrent: int | None
    reuse_workers: bool


@dataclass(frozen=True)
class SearchFile:
    """A search as its file and the command line describe it.

    Attributes:
        path: The file as given.
        text: The file's text, unchanged.
        name: Name of the search, its folder under ``results``.
        trainable: Name of a built-in trainable, or ``module:function``.
        results: Absolute folder, or ``s3://bucket/prefix``.
        data: None for one's own trainable.
        metrics: What is made better, at least one; the first is judged at every epoch and ranks the trials.
        search: What proposes.
        scheduler: What stops early.
        resources: What a trial takes.
        retries: How often a trial whose process or node was lost is started again.
        trial_timeout: Seconds without a report after which a trial fails; None for no limit.
        keep_checkpoints: Best checkpoints that the search keeps.
        space: What may be proposed.
        warnings: Findings that are no errors.
    """

    path: Path
    text: str
    name: str
    trainable: str
    results: str
    data: Data | None
    metrics: tuple[Metric, ...]
    search: Search
    scheduler: Scheduler
    resources: Resources
    retries: int
    trial_timeout: float | None
    keep_checkpoints: int
    space: Space
    warnings: tuple[Problem, ...] = ()

    @property
    def metric(self) -> Metric:
        """Return the first metric."""
        return self.metrics[0]

    @property
    def reported(self) -> tuple[str, ...]:
        """Return the metrics beside the first that every epoch has to report; the others are measured."""
        return tuple(metric.name for metric in self.metrics[1:] if metric.name not in MEASURED)

    def settings(self) -> dict[str, Any]:
        """Return all that decides the results as plain values for JSON: equal for equal searches.

        No path is among them (``results``, ``data.root``, ``data.weights``): see ``Data.portable``.
        """
        metrics = [{"name": metric.name, "goal": str(metric.goal)} for metric in self.metrics]
        return {
            "name": self.name,
            "trainable": self.trainable,
            "data": None if self.data is None else self.data.portable(),
            "metric": metrics[0] if len(metrics) == 1 else metrics,
            "search": self.search.settings(),
            "scheduler": self.scheduler.settings(),
            "resources": asdict(self.resources),
            "retries": self.retries,
            "trial_timeout": self.trial_timeout,
            "keep_checkpoints": self.keep_checkpoints,
            "require": [str(constraint) for constraint in self.space.constraints],
            "parameters": {
                name: [_plain(item) for item in parameter.alternatives]
                for name, parameter in self.space.parameters.items()
            },
        }


def _plain(alternative: Alternative) -> dict[str, Any]:
    domain = alternative.domain
    values: Mapping[str, object]
    match domain:
        case Constant(value=value):
            values = {"value": value}
        case Listed(values=listed):
            values = {"values": list(listed)}
        case _:
            values = {"min": domain.low, "max": domain.high, "log": domain.log, "step": domain.step}
    return {**values, "when": {parent: list(allowed) for parent, allowed in alternative.when.items()}}
