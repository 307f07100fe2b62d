"""``tuner show``: one trial, with its configuration, its curve and how to run it again."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.cli.options import add_results
from tuner.facts.errors import ExitCode, ResultsDamagedError, UsageError, relative_to_cwd
from tuner.facts.printable import printable_lines
from tuner.facts.records import IN_OWN_FILES
from tuner.facts.verdict import judge
from tuner.journal.links import regular_file

if TYPE_CHECKING:
    from tuner.leaderboard.trial import TrialView

_REASONS: Mapping[str, str] = {
    "budget": "it ran its whole budget",
    "early_stop": "its own early stopping ended it",
    "asha": "ASHA stopped it: at a rung others were better",
    "hyperband": "Hyperband stopped it: at a rung others of its bracket were better",
    "median": "the median rule stopped it: others were better on average",
    "nan": "its loss, gradient or metric was no finite number",
    "out_of_memory": "memory ran out",
    "error": "an error in the trainable",
    "timeout": "it reported nothing for too long",
    "lost": "its process was lost too often",
}
_BARS = "▁▂▃▄▅▆▇█"
_CURVE_WIDTH = 40
_RUNS_AGAIN = ("trainable", "data", "metric", "resources", "retries", "trial_timeout")
_NUMBER = re.compile(r"[0-9]{1,18}")
#: Texts that YAML 1.2 reads as texts without quotes.
_BARE = re.compile(r"[A-Za-z_][\w./-]*")
_NOT_BARE = frozenset({"true", "false", "null", "True", "False", "Null", "TRUE", "FALSE", "NULL"})


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("trial", metavar="TRIAL", help="NAME/NUMBER, NAME-NUMBER, or the number alone")
    parser.add_argument("--name", metavar="NAME", help="the search; may be left out where there is one")
    add_results(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object")
    form.add_argument("--config", action="store_true", help="print the configuration alone, as YAML")
    form.add_argument("--search-file", action="store_true", help="print a search file that runs this trial again")


def run(args: argparse.Namespace) -> int:
    """Print one trial; returns the exit code."""
    from tuner.leaderboard.read import find_search
    from tuner.leaderboard.trial import load_trial
    from tuner.storage.copies import results_folder

    name, number = _named(args.trial, args.name)
    with results_folder(args.results, name) as results:
        folder = find_search(results, name, how=f"tuner show NAME/{number} or --name NAME")
        trial = load_trial(folder, number)
        if args.json:
            print(_as_json(trial))
        elif args.config:
            print("\n".join(_yaml(trial.config)))
        elif args.search_file:
            print("\n".join(_search_file(folder, trial)))
        else:
            print(printable_lines("\n".join(_page(folder, trial, args.results))))
    return ExitCode.OK


def _named(text: str, name: str | None) -> tuple[str | None, int]:
    """Return name and number of ``cifar10/17``, ``cifar10-17`` or ``17``."""
    head, separator, tail = text.rpartition("/" if "/" in text else "-")
    if not _NUMBER.fullmatch(tail) or (separator and not head):
        raise UsageError(f"'{text}' is no trial; it is NAME/NUMBER, NAME-NUMBER as in the column trial_id, or a number")
    if head and name not in (None, head):
        raise UsageError(f"'{text}' is a trial of '{head}', and --name says '{name}'")
    return head or name, int(tail)


def _as_json(trial: TrialView) -> str:
    from tuner.leaderboard.formats import to_record

    record = to_record(trial.info, [trial.row])
    epochs = to_record(trial.info, trial.epochs)["trials"]
    return json.dumps({**record, "config": trial.config, "epochs": epochs}, indent=2)


def _page(folder: Path, trial: TrialView, results: str) -> Iterator[str]:
    from tuner.leaderboard.formats import spelled

    row = trial.row
    reason = _REASONS.get(row["stop_reason"], row["stop_reason"])
    yield f"{row['trial_id']}: {row['state']}" + (f" ({reason})" if reason else "")
    if row["error"] is not None:
        yield f"error: {spelled(row['error'])}"
    yield ""
    yield from _aligned(dict(_facts(folder, trial)))
    yield "\nconfiguration"
    config = trial.config.items()
    yield from _aligned({f"  {name}": "null" if value is None else spelled(value) for name, value in config})
    words = ["tuner", "show", str(row["number"]), "--name", folder.name]
    if results != "results":
        words += ["--results", results]
    file = f"{row['trial_id']}.yaml"
    root = " --set data.root=DIR" if _has_root(folder) else ""
    yield f"\nto run it again:\n  {shlex.join([*words, '--search-file'])} > {file} && tuner search {file}{root}"


def _has_root(folder: Path) -> bool:
    """Return whether the images lie in a folder of the user's, which no result records."""
    try:
        data = json.loads(regular_file(folder / "search.json").read_bytes())["settings"]["data"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return data is not None and data["dataset"] in IN_OWN_FILES


def _facts(folder: Path, trial: TrialView) -> Iterator[tuple[str, str]]:
    from tuner.leaderboard.formats import spelled
    from tuner.leaderboard.schema import column_of
    from tuner.storage.copies import exists

    row, info = trial.row, trial.info
    if row["rank"] is not None:
        front = "" if row["pareto_rank"] is None else f", on Pareto front {row['pareto_rank']}"
        yield "rank", f"{row['rank']} of {trial.ranked}{front}"
    if trial.other_runs:
        runs = ", ".join(f"trial {number} {state}" for number, state in trial.other_runs.items())
        yield "other runs", f"{runs} (the same configuration, other seeds)"
    if row["score"] is not None:
        yield "score", f"{spelled(row['score'])} ({info.metric}, to {info.goal}) at epoch {row['best_epoch']}"
        for metric in info.further:
            yield metric.name, f"{spelled(row[column_of(metric.name)])} (to {metric.goal})"
    if trial.epochs:
        scores = [epoch["score"] for epoch in trial.epochs]
        yield "by epoch", f"{spelled(scores[0])} {_sparkline(scores)} {spelled(scores[-1])}"
    for name in ("val_accuracy", "val_loss", "train_accuracy", "train_loss", "generalization_gap"):
        if row[name] is not None and name not in {metric.name for metric in info.metrics}:
            yield name, f"{spelled(row[name])} at epoch {row['best_epoch']}"
    if trial.epochs and (verdict := judge(trial.epochs)) is not None:
        yield "verdict", str(verdict)
    yield "epochs", f"{row['epochs_run']} in {spelled(row['train_seconds'])} s"
    if row["device"] is not None:
        attempts = f", {row['attempts']} attempts" if row["attempts"] > 1 else ""
        yield "ran on", f"{row['device']} of {row['node']}{attempts}"
    if row["checkpoint"] is not None:
        yield "checkpoint", relative_to_cwd(folder.absolute() / row["checkpoint"])
    log = folder / "logs" / f"{row['number']}.log"
    if exists(log):
        yield "log", relative_to_cwd(log.absolute())


def _sparkline(values: Sequence[float]) -> str:
    """Return one bar a value, or evenly picked values where there are many, the last one always among them."""
    picks = min(len(values), _CURVE_WIDTH)
    chosen = [values[round((index + 1) * len(values) / picks) - 1] for index in range(picks)]
    low, high = min(chosen), max(chosen)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((value - low) * scale)] for value in chosen)


def _aligned(pairs: Mapping[str, str]) -> Iterator[str]:
    width = max(map(len, pairs), default=0)
    yield from (f"{name:<{width}}  {value}" for name, value in pairs.items())


def _search_file(folder: Path, trial: TrialView) -> Iterator[str]:
    """Yield the lines of a search file with this configuration fixed, one trial, and nothing that stops it early."""
    path = folder / "search.json"
    try:
        settings = json.loads(regular_file(path).read_bytes())["settings"]
        kept = {key: settings[key] for key in _RUNS_AGAIN}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultsDamagedError(f"{relative_to_cwd(path)} is damaged: it does not hold the settings") from error
    yield f"# Trial {trial.row['trial_id']}, to run it again. Where images lie is not recorded: --set data.root=DIR"
    yield from _yaml(
        {
            "name": trial.row["trial_id"],
            **_without_nulls(kept),
            "search": {"trials": 1},
            "scheduler": {"type": "none"},
            "parameters": trial.config,
        }
    )


def _without_nulls(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings without those that say nothing."""
    return {
        name: _without_nulls(value) if isinstance(value, Mapping) else value
        for name, value in settings.items()
        if value is not None
    }


def _yaml(values: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Yield block YAML 1.2 of nested mappings; leaves are JSON, which is YAML."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield f"{indent}{_scalar(name)}:"
            yield from _yaml(value, indent + "  ")
        else:
            yield f"{indent}{_scalar(name)}: {_scalar(value)}"


def _scalar(value: object) -> str:
    bare = isinstance(value, str) and _BARE.fullmatch(value) and value not in _NOT_BARE
    return str(value) if bare else json.dumps(value)
