"""``tuner check``: validate a search file; show its parameters, sampled configurations, rungs and upper bound."""

from __future__ import annotations

import argparse
import json
import random
import sys
import textwrap
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.cli.limits import amounts
from tuner.cli.options import add_file, add_format, add_root, root_flag, whole_number
from tuner.facts.errors import ExitCode, relative_to_cwd

if TYPE_CHECKING:
    from tuner.space.parameters import Alternative
    from tuner.space.searchfile import Scheduler, SearchFile
    from tuner.space.space import Space

WIDTH = 80
_LABEL = 12
_NAME = 22  # the longest hyperparameter's name
_WHEN = 24


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_file(parser)
    add_root(parser)
    parser.add_argument(
        "--samples", type=whole_number(0), default=3, metavar="N", help="random configurations to show (default: 3)"
    )
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Print what the file means; warnings go to stderr, errors end the command with exit code 2."""
    from tuner.hyperparameters.table import TRAINABLES
    from tuner.space.read import read_search_file

    file = read_search_file(Path(args.file), args.set, trainables=TRAINABLES, flags=root_flag(args))
    samples = _samples(file, args.samples)
    if args.json:
        print(json.dumps(_as_json(file, samples), ensure_ascii=False))
        return ExitCode.OK
    for warning in file.warnings:
        print(warning, file=sys.stderr)
    print("\n".join([*_summary(file), "", *_parameters(file.space), "", *_configurations(samples, args.samples)]))
    print(f"{args.file} is good")
    return ExitCode.OK


def epochs_at_most(file: SearchFile) -> int | None:
    """Return how many epochs all trials have together if none is stopped; None where nothing bounds them."""
    most = file.scheduler.max_epochs
    whole = None if most is None else _trials_at_most(file) * most
    return min((bound for bound in (whole, file.search.epoch_budget) if bound is not None), default=None)


def _trials_at_most(file: SearchFile) -> int:
    size = file.space.size()
    return file.search.trials if size is None else min(size * _runs_at_most(file), file.search.trials)


def _runs_at_most(file: SearchFile) -> int:
    """Return how often a configuration may run."""
    from tuner.space.algorithms import runs_at_most

    return runs_at_most(file.search.algorithm, file.space.parameters, file.search.replicates)


def _samples(file: SearchFile, count: int) -> list[dict[str, object]]:
    from tuner.space.sampling import sample

    generator = random.Random(file.search.seed)
    drawn = (sample(file.space, generator) for _ in range(count))
    return [config for config in drawn if config is not None]


def _as_json(file: SearchFile, samples: list[dict[str, object]]) -> dict[str, Any]:
    return {
        "version": 1,
        "search": file.name,
        "settings": file.settings(),
        "rungs": list(file.scheduler.rungs),
        "brackets": [{"trials": item.trials, "rungs": list(item.rungs)} for item in file.scheduler.brackets],
        "epochs_at_most": epochs_at_most(file),
        "configurations": samples,
        "warnings": [vars(warning) for warning in file.warnings],
    }


def _summary(file: SearchFile) -> Iterator[str]:
    search, resources = file.search, file.resources
    data = "" if file.data is None else f" on {file.data.dataset}, {file.data.validation:,} images for validation"
    yield _line("search", file.name)
    yield _line("trains", file.trainable + data)
    yield _line("metric", ", ".join(f"{metric.goal} {metric.name}" for metric in file.metrics))
    points = f", the given points ({len(search.points)}) first" if search.points else ""
    yield _line("proposes", f"{search.algorithm}, {search.trials} trials, seed {search.seed}{points}")
    if options := {name: value for name, value in search.options.items() if value is not None}:
        yield _line("", ", ".join(f"{name} {_spelled(value)}" for name, value in options.items()))
    if (runs := _runs_at_most(file)) > 1:
        yield _line("", f"a configuration that leads runs {runs} times where a tenth of the trials diverge")
    if search.warm_start:
        yield _line("begins with", f"the best configurations of {', '.join(search.warm_start)}")
    if limits := amounts(search.limits):
        yield _line("ends early", ", or ".join(limits))
    yield _line("stops early", _stops(file.scheduler))
    if file.scheduler.exempt:
        trials = _trials_at_most(file)
        exempt = round(file.scheduler.exempt * trials)
        yield _line("", f"about {exempt:,} of {trials:,} trials are exempt and run to their end")
    if (least := file.scheduler.options.get("min_correlation")) and file.scheduler.rungs:
        yield _line("", f"a rung stops nothing while its rank correlation is below {least:g}")
    yield _line("a trial", f"CPUs {resources.cpus_per_trial:g}, GPUs {resources.gpus_per_trial:g}")
    bound = epochs_at_most(file)
    yield _line("epochs", "as many as the trainable yields" if bound is None else f"at most {bound:,}")
    folder = file.results if "://" in file.results else relative_to_cwd(Path(file.results))
    yield _line("results", f"{folder}/{file.name}")
    for constraint in file.space.constraints:
        yield _line("requires", str(constraint))


def _stops(scheduler: Scheduler) -> str:
    """Return what stops trials, and at which epochs."""
    if scheduler.type == "median":
        last = "" if scheduler.max_epochs is None else f" to {scheduler.max_epochs - 1}"
        others = {name: value for name, value in scheduler.options.items() if name != "exempt"}
        options = ", ".join(f"{name} {_spelled(value)}" for name, value in others.items())
        return f"median, at epochs {scheduler.grace_period}{last}; {options}"
    rungs = [f"rungs at {', '.join(map(str, item.rungs))}" if item.rungs else "no rungs" for item in scheduler.brackets]
    if scheduler.type != "hyperband":
        return f"{scheduler.type}, {rungs[0] if rungs else 'no rungs'}"
    shares = [f"{item.trials} have {text}" for item, text in zip(scheduler.brackets, rungs, strict=True)]
    return f"hyperband, of {sum(item.trials for item in scheduler.brackets)} trials {'; '.join(shares)}"


def _line(label: str, text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=label.ljust(_LABEL), subsequent_indent=" " * _LABEL)


def _parameters(space: Space) -> Iterator[str]:
    conditional = any(parameter.parents for parameter in space.parameters.values())
    width = WIDTH - _NAME - (_WHEN if conditional else 0) - 2
    yield _row(("parameter", "is", "when" if conditional else ""), width)
    for name, parameter in space.parameters.items():
        labels = [name]
        for alternative in parameter.alternatives:
            domains = textwrap.wrap(alternative.domain.text, width) or ["''"]
            conditions = textwrap.wrap(_condition(alternative), _WHEN)
            for cells in zip_longest(labels, domains, conditions, fillvalue=""):
                yield _row(cells, width)
            labels = []


def _row(cells: tuple[str, ...], width: int) -> str:
    name, domain, condition = cells
    return f"{name:<{_NAME}} {domain:<{width}} {condition}".rstrip()


def _spelled(value: object) -> str:
    from tuner.space.domains import spelled

    return spelled(value)


def _condition(alternative: Alternative) -> str:
    from tuner.space.domains import spelled

    return " and ".join(f"{parent} {' or '.join(map(spelled, values))}" for parent, values in alternative.when.items())


def _configurations(samples: Iterable[dict[str, object]], wanted: int) -> Iterator[str]:
    from tuner.space.domains import spelled

    if not wanted:
        return
    yield "random configurations"
    for number, config in enumerate(samples, 1):
        pairs = (
            f"{name} {f'{value:.4g}' if isinstance(value, float) else spelled(value)}" for name, value in config.items()
        )
        yield textwrap.fill(", ".join(pairs), WIDTH, initial_indent=f"{number:>3}  ", subsequent_indent="     ")
    yield ""
