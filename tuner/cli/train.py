"""``tuner train``: one configuration at full budget on all images, the test split once a seed, a model to keep."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.cli.device import add_device, chosen_device
from tuner.cli.options import add_format, add_progress, add_results, add_root, root_flag, whole_number
from tuner.facts.addresses import is_address
from tuner.facts.errors import ExitCode, UsageError, relative_to_cwd
from tuner.facts.printable import printable

if TYPE_CHECKING:
    from tuner.study.model_folder import ModelFolder
    from tuner.study.recipe import Recipe

_EXAMPLES = """examples:
  tuner train --from cifar10 --rank 1
  tuner train --from cifar10 --trial 17 --seeds 5 --export onnx
  tuner show cifar10/17 --config > mine.yaml && tuner train --config mine.yaml --set dataset=cifar10

Training and validation images are all trained on; a configuration with early stopping, or whose schedule is plateau,
keeps its validation images to decide by. The test split is read once a seed, at the end. The model lies in
results/<name>/models/<number>/, that of --config in results/models/<name>/.
"""
_EXPORTS = ("onnx", "pt2")

#: Option with one value to its default.
_DEFAULTS: Mapping[str, object] = {
    "from": None,
    "rank": None,
    "trial": None,
    "config": None,
    "root": None,
    "results": "results",
    "seeds": 1,
    "device": "auto",
    "threads": None,
    "progress": "auto",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLES
    parser.add_argument("--from", metavar="NAME", help="the search; may be left out where there is one")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--rank", metavar="K", type=whole_number(1), help="the trial at this place of its leaderboard")
    what.add_argument("--trial", metavar="N", type=whole_number(0), help="the trial of this number")
    what.add_argument("--config", metavar="FILE", help="a file that 'tuner show --config' or '--search-file' printed")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a setting, such as dataset=digits"
    )
    add_root(parser)
    add_results(parser)
    parser.add_argument("--seeds", metavar="N", type=whole_number(1), default=1, help="how many seeds (default: 1)")
    parser.add_argument(
        "--export", action="append", choices=_EXPORTS, default=[], help="also write the model in this form"
    )
    parser.add_argument("--restart", action="store_true", help="move an existing model to <number>.<k>, train anew")
    add_progress(parser)
    add_device(parser)
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Train, export, and print the scores on stdout."""
    from tuner.storage.copies import results_folder
    from tuner.study import export
    from tuner.study.model_folder import ModelFolder

    with results_folder(args.results, getattr(args, "from")) as results:
        recipe = _recipe(args, results.absolute())
        export.refuse_missing(args.export)
        folder = ModelFolder(recipe.folder)
        try:
            if not _train(args, recipe, folder):
                place = relative_to_cwd(folder.path)
                anew = "remove it first" if is_address(place) else "--restart"
                _say(f"{place} is finished: nothing was trained; anew: {anew}")
            exported = _export(args, folder)
        except (KeyboardInterrupt, SystemExit) as ended:
            _say(f"interrupted; go on with: {_again(args)}")
            return ExitCode.SIGINT if isinstance(ended, KeyboardInterrupt) else ExitCode.SIGTERM
        if args.json:
            print(_as_json(folder, exported))
        else:
            _print_result(folder, exported)
    return ExitCode.OK


def _recipe(args: argparse.Namespace, results: Path) -> Recipe:
    from tuner.study.recipe import from_file, from_search

    name = getattr(args, "from")
    flags = root_flag(args)
    if args.config is None:
        return from_search(results, name, rank=args.rank, trial=args.trial, overrides=args.set, flags=flags)
    if name is not None:
        raise UsageError("--config is a configuration of its own, and --from names a search; leave one out")
    return from_file(Path(args.config), results, overrides=args.set, flags=flags)


def _train(args: argparse.Namespace, recipe: Recipe, folder: ModelFolder) -> bool:
    """Train what is missing; returns whether anything was."""
    import torch

    from tuner.cli.epochs import progress
    from tuner.datasets.test_split import load_test
    from tuner.study.final import FinalTraining
    from tuner.study.preparation import prepare_data, prepare_weights

    device = chosen_device(args)
    prepared = prepare_data(recipe.file, recipe.search)
    assert prepared is not None, "the built-in trainable has images"
    weights = prepare_weights(recipe.file, recipe.search)
    if prepared.test_count == 0:
        _say("this data set has no test split: the model will have no test scores")
    trained = len(folder.metrics()["seeds"]) if folder.finished and not args.restart else 0
    with folder.writer(), progress(args.progress, recipe.config["epochs"], args.seeds - trained) as listener:
        if args.restart and (aside := folder.set_aside()) is not None:
            _say(f"moved the old model to {relative_to_cwd(aside)}")
        training = FinalTraining(
            recipe=recipe,
            prepared=prepared,
            weights=weights[0] if weights else None,
            folder=folder,
            device=device,
            threads=torch.get_num_threads(),
            read_test=partial(load_test, prepared) if prepared.test_count else None,
            listener=listener,
        )
        return training.run(args.seeds)


def _export(args: argparse.Namespace, folder: ModelFolder) -> list[str]:
    """Write the model in every form that is asked for; returns where."""
    if not args.export:
        return []
    import torch

    from tuner.study.export import export
    from tuner.study.trained_model import TrainedModel

    model = TrainedModel.load(folder, torch.device("cpu"))
    return [relative_to_cwd(export(model, folder.path, form)) for form in dict.fromkeys(args.export)]


def _as_json(folder: ModelFolder, exported: list[str]) -> str:
    """Return metrics.json but for what was seen layer by layer, which is long."""
    metrics = folder.metrics()
    seeds = [{name: value for name, value in seed.items() if name != "diagnostics"} for seed in metrics["seeds"]]
    place = {"version": 1, "folder": relative_to_cwd(folder.path), "exported": exported}
    return json.dumps({**place, **metrics, "seeds": seeds}, indent=2)


def _print_result(folder: ModelFolder, exported: list[str]) -> None:
    from tuner.cli.scores import print_summary

    metrics = folder.metrics()
    first, *more = metrics["seeds"]
    if first["test"] is not None:
        seeds = f"{1 + len(more)} seeds" if more else f"seed {first['seed']}"
        print(f"{printable(metrics['model'])}, {seeds}, on the {first['test']['images']:,} images of the test split")
        print_summary(metrics["summary"])
    if (verdict := first["verdict"]) is not None:
        print(printable(f"{verdict['fit']}: {verdict['reason']}"))
    print(f"model  {relative_to_cwd(folder.path)}" + (f" (weights of seed {first['seed']})" if more else ""))
    for path in exported:
        print(f"       {path}")


def _again(args: argparse.Namespace) -> str:
    """Return what to type to go on."""
    words = ["tuner", "train"]
    for name, default in _DEFAULTS.items():
        if (value := getattr(args, name)) != default:
            words += [f"--{name}", str(value)]
    for flag, values in (("--set", args.set), ("--export", args.export)):
        words += [word for value in values for word in (flag, value)]
    return shlex.join([*words, *(["--json"] if args.json else [])])


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
