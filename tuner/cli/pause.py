"""``tuner pause``: end a running search once each trial that runs has ended its epoch; it can go on later.

``tuner stop`` ends it at once, and the epochs that were under way are trained again.
"""

from __future__ import annotations

import argparse

from tuner.cli.options import add_format, add_search
from tuner.cli.stop import end_search


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_search(parser)
    add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Ask for the pause, and wait for it; 1 where it has not come in time."""
    return end_search(args, "pause", "paused")
