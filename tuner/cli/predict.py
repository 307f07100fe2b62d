"""``tuner predict``: what a trained model sees in images."""

from __future__ import annotations

import argparse
import json
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.cli.device import add_device, chosen_device
from tuner.cli.options import add_format, add_results, whole_number
from tuner.facts.errors import ExitCode, UsageError
from tuner.facts.printable import printable

if TYPE_CHECKING:
    from tuner.study.trained_model import TrainedModel


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("model", metavar="MODEL", help="the model's folder, or NAME/NUMBER as in the results folder")
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="image files")
    parser.add_argument(
        "--top", metavar="K", type=whole_number(1), default=3, help="how many classes to show (default: 3)"
    )
    add_results(parser)
    add_device(parser)
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Print the most probable classes of each image on stdout; images that cannot be read are told at the end."""
    from tuner.storage.copies import attach
    from tuner.study.model_folder import find_model
    from tuner.study.trained_model import TrainedModel

    folder = find_model(args.model, attach(args.results))
    model = TrainedModel.load(folder, chosen_device(args))
    found, problems = [], []
    for image in args.images:
        try:
            found.append(_predicted(model, image, args.top))
        except UsageError as error:
            problems.append(str(error))
            continue
        if not args.json:
            _print(found[-1])
    if args.json:
        print(json.dumps({"version": 1, "model": args.model, "images": found}, indent=2))
    if problems:
        raise UsageError("; ".join(problems))
    return ExitCode.OK


def _predicted(model: TrainedModel, image: str, top: int) -> dict[str, Any]:
    from tuner.study.predict import predict

    prediction = predict(model, Path(image))
    if prediction.resized_from is not None:
        _, height, width = model.image_shape
        print(
            f"{image}: resized from {'x'.join(map(str, prediction.resized_from))} to {width}x{height}", file=sys.stderr
        )
    best = islice(prediction.probabilities.items(), top)
    return {"image": image, "predictions": [{"class": name, "probability": value} for name, value in best]}


def _print(record: dict[str, Any]) -> None:
    said = ", ".join(f"{one['class']} {one['probability']:.3f}" for one in record["predictions"])
    print(printable(f"{record['image']}: {said}"), flush=True)
