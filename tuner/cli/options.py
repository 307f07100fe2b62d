"""Options that several commands share."""

from __future__ import annotations

import argparse


def add_file(parser: argparse.ArgumentParser) -> None:
    """Declare the search file and ``--set``."""
    parser.add_argument("file", metavar="FILE", help="the search file")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a setting, dotted from the top (parameters.lr=0.1) or a bare name; may be repeated",
    )


def add_format(parser: argparse.ArgumentParser) -> None:
    """Declare ``--json``."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")
