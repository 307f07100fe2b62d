"""``tuner evaluate``: a trained model on any data set of its classes."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tuner.cli.device import add_device, chosen_device
from tuner.cli.options import add_format, add_results
from tuner.facts.errors import ExitCode, UsageError
from tuner.facts.records import DATASETS

_EXAMPLES = """examples:
  tuner evaluate cifar10/17 --data cifar10
  tuner evaluate results/cifar10/models/17 --data photographs/
  tuner evaluate mine --data parquet --root ../data --split train

A folder holds train/<class>/ and test/<class>/, or <class>/ alone, or train*.parquet and test*.parquet.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EXAMPLES
    parser.add_argument("model", metavar="MODEL", help="the model's folder, or NAME/NUMBER as in the results folder")
    parser.add_argument("--data", metavar="DATASET|FOLDER", required=True, help="a data set's name, or a folder")
    parser.add_argument("--root", metavar="DIR", help="where the files of a data set by name lie")
    parser.add_argument(
        "--split", choices=("test", "train"), help="default: test, or train where the data set has no other"
    )
    add_results(parser)
    add_device(parser)
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Print what the model reaches on stdout."""
    from tuner.cli.scores import print_scores
    from tuner.datasets.prepare import prepare
    from tuner.datasets.test_split import load_test
    from tuner.storage.copies import attach
    from tuner.study.evaluate import evaluate, labels_by_name
    from tuner.study.model_folder import find_model
    from tuner.study.trained_model import TrainedModel

    folder = find_model(args.model, attach(args.results))
    model = TrainedModel.load(folder, chosen_device(args))
    prepared = prepare(*_source(args.data, args.root), to_evaluate=True)
    by_name = labels_by_name(prepared, model)
    split = args.split or ("test" if prepared.test_count else "train")
    images, labels = load_test(prepared) if split == "test" else prepared.load_train()
    scores = evaluate(model, images, labels, by_name).as_json()
    if args.json:
        record = {"version": 1, "model": args.model, "data": args.data, "split": split, **scores}
        print(json.dumps(record, indent=2))
        return ExitCode.OK
    which = f"{split} split, {scores['images']:,}" if prepared.test_count else f"all {scores['images']:,}"
    print(f"{args.model} on {args.data}, {which} images")
    print_scores(scores)
    return ExitCode.OK


def _source(data: str, root: str | None) -> tuple[str, Path | None]:
    """Return a data set's name and where its files lie."""
    if data in DATASETS:
        return data, None if root is None else Path(root)
    folder = Path(data)
    if root is not None:
        raise UsageError(
            f"--root goes with a data set's name, and '{data}' is none; it is one of {', '.join(DATASETS)}"
        )
    if not folder.is_dir():
        raise UsageError(f"'{data}' is neither a folder nor a data set; those are {', '.join(DATASETS)}")
    in_parquet = any(folder.glob("train*.parquet")) or any(folder.glob("*/train*.parquet"))
    return "parquet" if in_parquet else "folder", folder
