"""The entry point ``tuner``: finds the command, runs it, turns errors into one sentence and an exit code."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn, TextIO

import tuner
from tuner.cli.sentences import terminal_width, wrapped
from tuner.facts.errors import ExitCode, Problem, SearchFileError, StorageError, TunerError, UsageError
from tuner.facts.printable import printable_lines

#: Command to its one line of help. Module ``tuner.cli.<command>`` holds ``configure(parser)`` and ``run(args) -> int``.
COMMANDS: dict[str, str] = {
    "check": "validate a search file, show sampled configurations and the budget",
    "search": "run a search, or resume one",
    "leaderboard": "show the best trials, also while a search runs",
    "show": "show one trial",
    "confirm": "train the best trials and the default again: are they really better?",
    "ablate": "switch the regularizers of a trial off in turn: which earn their place?",
    "train": "train one configuration at full budget on all images, and keep the model",
    "evaluate": "measure a trained model on any data set of its classes",
    "predict": "show what a trained model sees in images",
    "submit": "hand a search to a Ray cluster",
    "extend": "give a search more trials, also one that runs or has finished",
    "add": "give a search a configuration, which it tries next",
    "status": "show how far a search, or a job of a cluster, is",
    "logs": "show what happened in a search, what a trial printed, or the log of a job",
    "stop": "end a running search, or a job of a cluster, so that it can go on later",
    "pause": "end a running search at the end of each trial's epoch, so that nothing is trained twice",
    "schema": "print a JSON Schema of the search file, for editors",
    "doctor": "show what this machine offers and what is missing",
}


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors go the way of all errors."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and leaving."""
        raise UsageError(f"{message} (see '{self.prog} --help')")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: What follows ``tuner`` on the command line; None takes it from ``sys.argv``.

    Returns:
        The exit code (see ``ExitCode``).
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    # A closed stream (`tuner search >&-`) is None in Python; nobody reads it, so anything may be written to it.
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    as_json = "--json" in words
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(ExitCode.SIGTERM))
    try:
        code = _dispatch(words)
        sys.stdout.flush()
        return code
    except TunerError as error:
        return _report(error, as_json)
    except KeyboardInterrupt:
        return _report(InterruptedByUserError("interrupted"), as_json)
    except BrokenPipeError:
        # The reader of our output left (`tuner leaderboard | head`): nobody is there to be told.
        sys.stdout = _nowhere()
        return ExitCode.OK
    except OSError as error:
        sys.stdout = _nowhere()  # it may be what cannot be written, and Python flushes it once more at the end
        return _report(StorageError(_sentence(error)), as_json)


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def _sentence(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else f"cannot write: {error.strerror or error}"


class InterruptedByUserError(TunerError):
    """Ctrl-C before anything had started that could be resumed."""

    code = ExitCode.SIGINT


def _dispatch(words: list[str]) -> int:
    parser = _Parser(prog="tuner", description=tuner.__doc__, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"tuner {tuner.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", parser_class=_Parser)
    parsers = {
        name: commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        for name, summary in COMMANDS.items()
    }
    if not words or words[0] not in COMMANDS:
        parser.parse_args(words)
        parser.print_help()
        return ExitCode.USAGE
    name, *rest = words
    module = import_module(f"tuner.cli.{name}")  # it alone: the others would cost start-up time
    module.configure(parsers[name])
    # Options may stand between names; what follows a "--" is read in one go, as argparse forgets it in between.
    parse = parsers[name].parse_args if "--" in rest else parsers[name].parse_intermixed_args
    return int(module.run(parse(rest, argparse.Namespace(command=name))))


def _report(error: TunerError, as_json: bool) -> int:
    problems = error.problems if isinstance(error, SearchFileError) else ()
    if as_json:
        print(json.dumps({"error": _as_json(error, problems)}), file=sys.stderr)
    elif problems:
        print(printable_lines(str(error)), file=sys.stderr)
    else:
        print(wrapped(f"tuner: error: {printable_lines(str(error))}", terminal_width(sys.stderr)), file=sys.stderr)
    return int(error.code)


def _as_json(error: TunerError, problems: tuple[Problem, ...]) -> dict[str, Any]:
    first = next((problem for problem in problems if problem.severity == "error"), None)
    if first is None:
        return {"code": int(error.code), "message": str(error), "file": None, "line": None, "column": None}
    return {
        "code": int(error.code),
        "message": first.message,
        "file": first.source,
        "line": first.line,
        "column": first.column,
        "problems": [vars(problem) for problem in problems],
    }
