"""``--device`` and ``--threads`` of the commands that compute in their own process."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tuner.cli.options import whole_number
from tuner.facts.errors import UsageError

if TYPE_CHECKING:
    import torch


def add_device(parser: argparse.ArgumentParser) -> None:
    """Declare both options."""
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to compute; auto takes a GPU if any"
    )
    parser.add_argument(
        "--threads", metavar="N", type=whole_number(1, 1024), help="CPU threads (default: PyTorch's choice)"
    )


def chosen_device(args: argparse.Namespace) -> torch.device:
    """Return the device that the options name, and set the number of threads.

    Raises:
        UsageError: There is no GPU that PyTorch can use.
    """
    import torch

    if args.threads is not None:
        torch.set_num_threads(args.threads)
    if args.device == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: PyTorch finds no GPU here ('tuner doctor' says more)")
    return torch.device("cuda" if args.device != "cpu" and torch.cuda.is_available() else "cpu")
