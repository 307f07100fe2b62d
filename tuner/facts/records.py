"""States, decisions and the column names of the results: the one contract that notebooks rely upon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """The state of a trial."""

    RUNNING = "running"
    INTERRUPTED = "interrupted"
    COMPLETED = "completed"
    STOPPED = "stopped"
    DIVERGED = "diverged"
    OUT_OF_MEMORY = "out_of_memory"
    FAILED = "failed"

    @property
    def finished(self) -> bool:
        """Whether a trial in this state has ended for good."""
        return self not in (State.RUNNING, State.INTERRUPTED)


class Origin(StrEnum):
    """Where a trial's configuration came from."""

    POINT = "point"
    RANDOM = "random"
    REPLICATE = "replicate"
    SAMPLER = "sampler"
    WARM_START = "warm_start"


class Decision(StrEnum):
    """What a scheduler says about a trial at a rung."""

    CONTINUE = "continue"
    STOP = "stop"
    EXEMPT = "exempt"  # it would be stopped, and goes on since its number is exempt


class Goal(StrEnum):
    """Whether a larger or a smaller metric is better."""

    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"

    def better(self, value: float, than: float) -> bool:
        """Return whether ``value`` is strictly better than ``than``."""
        return value > than if self is Goal.MAXIMIZE else value < than


@dataclass(frozen=True)
class Metric:
    """What a search makes better."""

    name: str
    goal: Goal


@dataclass(frozen=True)
class Column:
    """One column of a Parquet file of the results.

    Attributes:
        name: Its name.
        dtype: Its pandas type after ``pd.read_parquet``: string, Int64, float64, boolean or timestamp
            (UTC, microseconds).
        meaning: One sentence.
        unit: Its unit; empty for a pure number or a text.
    """

    name: str
    dtype: str
    meaning: str
    unit: str = ""


LEADERBOARD_COLUMNS: tuple[Column, ...] = (
    Column("search", "string", "Name of the search."),
    Column("trial_id", "string", "Name of the search and number of the trial, `<name>-<number>`."),
    Column("number", "Int64", "Number of the trial in the search, from 0 in the order of proposal."),
    Column(
        "rank",
        "Int64",
        "Place among the completed trials, 1 the best, ties by number, those of a configuration of which a run diverged"
        " last; null for all others.",
    ),
    Column("state", "string", "running, interrupted, completed, stopped, diverged, out_of_memory or failed."),
    Column("stop_reason", "string", "Why the trial ended, such as budget, early_stop, asha, nan, error or timeout."),
    Column("score", "float64", "The search's metric at best_epoch; null for diverged and failed trials."),
    Column("val_accuracy", "float64", "Accuracy on the validation images at best_epoch.", "share"),
    Column("val_loss", "float64", "Plain cross-entropy on the validation images at best_epoch.", "nats"),
    Column("train_accuracy", "float64", "Accuracy on clean training images, in eval mode, at best_epoch.", "share"),
    Column("train_loss", "float64", "Plain cross-entropy on the same clean training images at best_epoch.", "nats"),
    Column("generalization_gap", "float64", "train_accuracy minus val_accuracy.", "share"),
    Column("best_epoch", "Int64", "The epoch with the best metric, the first of equals.", "epochs"),
    Column("epochs_run", "Int64", "Epochs that were reported.", "epochs"),
    Column("train_seconds", "float64", "Time inside the trial's epochs, summed over attempts.", "seconds"),
    Column("overhead_seconds", "float64", "Time between proposal and end that no epoch of the trial took.", "seconds"),
    Column("images_per_second", "float64", "Median over epochs of training images a second.", "images/second"),
    Column("peak_memory_mb", "float64", "Largest memory of the trial: on a GPU allocated, on the CPU resident.", "MB"),
    Column("parameter_count", "Int64", "Trainable parameters of the model."),
    Column("seed", "Int64", "The trial's seed."),
    Column("origin", "string", "Where the configuration came from: point, random, replicate, sampler or warm_start."),
    Column("attempts", "Int64", "Times the trial was started; above 1 after a lost process or a resume."),
    Column(
        "pareto_rank",
        "Int64",
        "Pareto front among the completed trials, 1 where no other is better in every metric; null with one metric.",
    ),
    Column("node", "string", "The machine that ran the last attempt, `node-<k>`."),
    Column("device", "string", "cpu, or the name of the GPU."),
    Column("started_at", "timestamp", "When the first attempt began."),
    Column("finished_at", "timestamp", "When the trial ended; null while it has not."),
    Column("checkpoint", "string", "Folder of the kept checkpoint, relative to the search's folder; null if none."),
    Column("error", "string", "One line on what went wrong, without paths; null if nothing did."),
    Column(
        "config_hash", "string", "Hash of the configuration without its seed: equal configurations have equal ones."
    ),
)

EPOCH_COLUMNS: tuple[Column, ...] = (
    Column("search", "string", "Name of the search."),
    Column("trial_id", "string", "Name of the search and number of the trial."),
    Column("number", "Int64", "Number of the trial in the search."),
    Column("epoch", "Int64", "The epoch, from 1.", "epochs"),
    Column("attempt", "Int64", "The attempt that reported it, from 1."),
    Column("score", "float64", "The search's metric; null where it was not finite."),
    Column("lr_now", "float64", "Learning rate used in the epoch's last step."),
    Column("train_loss", "float64", "Plain cross-entropy on clean training images, in eval mode.", "nats"),
    Column("train_accuracy", "float64", "Accuracy on the same images.", "share"),
    Column("val_loss", "float64", "Plain cross-entropy on the validation images.", "nats"),
    Column("val_accuracy", "float64", "Accuracy on the validation images.", "share"),
    Column("generalization_gap", "float64", "train_accuracy minus val_accuracy.", "share"),
    Column("objective", "float64", "What was optimized, averaged over the epoch's images."),
    Column("grad_norm", "float64", "Mean gradient norm before clipping."),
    Column("clip_share", "float64", "Share of steps whose gradient was clipped.", "share"),
    Column("images_per_second", "float64", "Training images a second.", "images/second"),
    Column("epoch_seconds", "float64", "Wall-clock time of the epoch, evaluation included.", "seconds"),
    Column("reported_at", "timestamp", "When the search wrote the report down."),
)

#: What the built-in trainable yields each epoch, in this order.
REPORT_NAMES: tuple[str, ...] = (
    "epoch",
    "lr_now",
    "train_loss",
    "train_accuracy",
    "val_loss",
    "val_accuracy",
    "generalization_gap",
    "objective",
    "grad_norm",
    "clip_share",
    "images_per_second",
    "epoch_seconds",
    "parameter_count",
)

#: Columns that sum up all epochs of a trial and that a search can make better beside its first metric.
SUMMED_UP: Mapping[str, Goal] = {
    "train_seconds": Goal.MINIMIZE,
    "images_per_second": Goal.MAXIMIZE,
    "peak_memory_mb": Goal.MINIMIZE,
    "parameter_count": Goal.MINIMIZE,
}

#: Those of them that the search measures by itself; the others are made from what a trainable reports.
MEASURED: frozenset[str] = frozenset({"train_seconds", "peak_memory_mb"})

#: Column names that no hyperparameter may bear; `seed` is both and means the same.
RESERVED_NAMES: frozenset[str] = frozenset(column.name for column in LEADERBOARD_COLUMNS) - {"seed"}

#: A further number that a trainable yields becomes this prefix plus its name.
METRIC_PREFIX = "metric_"

#: The data sets of the built-in trainable: torchvision's by name, those in files of one's own, those made here.
DOWNLOADED: tuple[str, ...] = ("cifar10", "cifar100", "mnist", "fashion_mnist", "svhn")
IN_OWN_FILES: tuple[str, ...] = ("parquet", "folder")
MADE_HERE: tuple[str, ...] = ("digits", "synthetic")
DATASETS: tuple[str, ...] = (*DOWNLOADED, *IN_OWN_FILES, *MADE_HERE)
