"""``tuner schema``: print the JSON Schema of a search file, so that editors complete and check it."""

from __future__ import annotations

import argparse
import json

from tuner.facts.errors import ExitCode

_HELP = """With the YAML language server, after `tuner schema > tuner.schema.json`, a search file that begins with

  # yaml-language-server: $schema=tuner.schema.json

is completed and checked while you type.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the explanation; the command has no arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _HELP


def run(_: argparse.Namespace) -> int:
    """Print the schema."""
    from tuner.hyperparameters.table import TRAINABLES
    from tuner.space.schema import json_schema

    print(json.dumps(json_schema(TRAINABLES), indent=2))
    return ExitCode.OK
