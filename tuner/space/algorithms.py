"""The samplers and schedulers that a search file chooses from, and their settings: one table for all that reads them.

``Field.applies`` says which of them a setting belongs to; a setting without it belongs to all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from tuner.facts.fields import Field, Kind

#: Sampler to what it does, in the order of the docs.
SAMPLERS: Mapping[str, str] = {
    "tpe": "models good and bad configurations and proposes where good ones are denser",
    "random": "draws each configuration by itself",
    "cmaes": "moves a normal distribution over the unconditional ranges; tpe draws the other parameters",
    "gp": "models the score as a Gaussian process and proposes where most improvement is expected",
    "qmc": "fills the space evenly, with a low-discrepancy sequence",
    "grid": "goes through all configurations of a finite space, in an order that the seed shuffles",
    "nsga2": "crosses and mutates the best configurations, generation by generation",
}

#: Samplers that follow one metric, and those that learn from several.
SINGLE = ("cmaes",)
FOR_SEVERAL = ("tpe", "gp", "nsga2")

#: Scheduler to what it does, in the order of the docs.
SCHEDULERS: Mapping[str, str] = {
    "asha": "at each rung the best share goes on",
    "hyperband": "several ashas side by side, whose first rungs differ",
    "median": "stops a trial whose best is worse than the median of the others' running averages",
    "none": "every trial has its whole budget",
}

#: The key in each section that says what is chosen.
CHOOSERS: Mapping[str, str] = {"search": "algorithm", "scheduler": "type"}

#: What switches a section's choice off; a file may keep the settings of what it would otherwise choose.
OFF = "none"

_MOST = 10**9

SAMPLER_FIELDS: tuple[Field, ...] = (
    Field("algorithm", Kind.CHOICE, "tpe", "What proposes configurations.", choices=tuple(SAMPLERS)),
    Field(
        "n_startup_trials",
        Kind.INTEGER,
        10,
        "Results before the sampler proposes by what it has learned; until then configurations are random.",
        minimum=1,
        maximum=_MOST,
        applies={"algorithm": ("tpe", "gp")},
        source="optuna.samplers.TPESampler",
    ),
    Field(
        "n_ei_candidates",
        Kind.INTEGER,
        24,
        "Candidates that are drawn, of which the most promising is proposed.",
        minimum=1,
        maximum=10**5,
        applies={"algorithm": ("tpe",)},
        source="optuna.samplers.TPESampler",
    ),
    Field(
        "multivariate",
        Kind.BOOLEAN,
        False,
        "Whether parameters are modelled together, which takes more trials to pay off.",
        applies={"algorithm": ("tpe",)},
        source="optuna.samplers.TPESampler",
    ),
    Field(
        "population_size",
        Kind.INTEGER,
        None,
        "Configurations in a generation; null is 50 for nsga2, and 4 + 3 ln d for cmaes, which moves d parameters.",
        minimum=4,
        maximum=10**5,
        applies={"algorithm": ("cmaes", "nsga2")},
        default_by={"algorithm": {"nsga2": 50}},
        source="Hansen 2016, arXiv:1604.00772; optuna.samplers.NSGAIISampler",
    ),
    Field(
        "sigma0",
        Kind.REAL,
        None,
        "The first standard deviation, as a share of each range; null is a sixth.",
        minimum=0,
        above=True,
        maximum=1,
        applies={"algorithm": ("cmaes",)},
        source="optuna.samplers.CmaEsSampler",
    ),
    Field(
        "mutation_prob",
        Kind.REAL,
        None,
        "Probability that a parameter of a child is drawn anew; null is one over the number of parameters.",
        minimum=0,
        maximum=1,
        applies={"algorithm": ("nsga2",)},
        source="optuna.samplers.NSGAIISampler",
    ),
    Field(
        "crossover_prob",
        Kind.REAL,
        0.9,
        "Probability that a child has two parents instead of one.",
        minimum=0,
        maximum=1,
        applies={"algorithm": ("nsga2",)},
        source="optuna.samplers.NSGAIISampler",
    ),
    Field(
        "qmc_type",
        Kind.CHOICE,
        "sobol",
        "The sequence.",
        choices=("sobol", "halton"),
        applies={"algorithm": ("qmc",)},
        source="scipy.stats.qmc",
    ),
    Field(
        "scramble",
        Kind.BOOLEAN,
        True,
        "Whether the seed scrambles the sequence; otherwise all seeds give the same one.",
        applies={"algorithm": ("qmc",)},
        source="scipy.stats.qmc",
    ),
)

SCHEDULER_FIELDS: tuple[Field, ...] = (
    Field("type", Kind.CHOICE, "asha", "What stops trials early.", choices=tuple(SCHEDULERS)),
    Field(
        "grace_period",
        Kind.INTEGER,
        None,
        "Epochs before the first decision; null is a ninth of the budget.",
        minimum=1,
        maximum=_MOST,
        applies={"type": ("asha", "hyperband", "median")},
    ),
    Field(
        "reduction_factor",
        Kind.INTEGER,
        3,
        "Factor between rungs; of so many trials one goes on.",
        minimum=2,
        maximum=1000,
        applies={"type": ("asha", "hyperband")},
    ),
    Field(
        "exempt",
        Kind.REAL,
        None,
        "Share of the trials that are never stopped, to show whether stopping is safe; null is 0.1, and 0 for median.",
        minimum=0,
        maximum=1,
        below=True,
        applies={"type": ("asha", "hyperband", "median")},
        default_by={"type": {"asha": 0.1, "hyperband": 0.1, "median": 0.0}},
    ),
    Field(
        "min_correlation",
        Kind.REAL,
        0.55,
        "Rank correlation with the final scores below which a rung stops nothing; 0 trusts every rung.",
        minimum=0,
        maximum=1,
        applies={"type": ("asha", "hyperband")},
    ),
    Field(
        "n_startup_trials",
        Kind.INTEGER,
        5,
        "Trials that have completed before any is stopped.",
        minimum=1,
        maximum=_MOST,
        applies={"type": ("median",)},
        source="optuna.pruners.MedianPruner",
    ),
    Field(
        "n_min_trials",
        Kind.INTEGER,
        1,
        "Completed trials that have reported an epoch before any is stopped at it.",
        minimum=1,
        maximum=_MOST,
        applies={"type": ("median",)},
        source="optuna.pruners.MedianPruner",
    ),
    Field(
        "max_epochs",
        Kind.INTEGER,
        None,
        "Budget of a trial, for a trainable of your own; cifar has parameters.epochs.",
        minimum=1,
        maximum=_MOST,
    ),
)

_SECTIONS: Mapping[str, tuple[Field, ...]] = {"search": SAMPLER_FIELDS, "scheduler": SCHEDULER_FIELDS}


def fields_of(section: str, chosen: str) -> tuple[Field, ...]:
    """Return the settings in a section that apply to what is chosen there and not to everything."""
    chooser = CHOOSERS[section]
    return tuple(item for item in _SECTIONS[section] if chosen in item.applies.get(chooser, ()))


def defaults_of(section: str, chosen: str) -> dict[str, Any]:
    """Return these settings at their defaults."""
    return {item.name: item.default_for({CHOOSERS[section]: chosen}) for item in fields_of(section, chosen)}


def runs_at_most(algorithm: str, parameters: Collection[str], replicates: int) -> int:
    """Return how often a configuration that leads may run.

    A grid is each configuration once; where the seed is a parameter, a run with another is another configuration.
    """
    return 1 if algorithm == "grid" or "seed" in parameters else replicates


def listing(names: tuple[str, ...]) -> str:
    """Return ``tpe``, ``tpe and gp``, or ``tpe, gp and qmc``."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
