"""The errors that people can cause or meet, each with the exit code of the command that it ends.

Every error pickles (Ray carries exceptions between processes) and its text is one clear sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from tuner.facts.addresses import address_of


class ExitCode(IntEnum):
    """Exit codes of every command."""

    OK = 0
    ABORTED = 1
    USAGE = 2
    TRIAL_FAILED = 3
    CLUSTER = 4
    RESULTS = 5
    STORAGE = 6
    SIGINT = 130
    SIGTERM = 143


class TunerError(Exception):
    """An error with one clear sentence for a person. Subclasses set the exit code."""

    code: ExitCode = ExitCode.ABORTED


class UsageError(TunerError):
    """A command, a value or a file that cannot be used as it is."""

    code = ExitCode.USAGE


class ClusterError(TunerError):
    """The Ray cluster cannot be reached or refused the connection."""

    code = ExitCode.CLUSTER


class ResultsDamagedError(TunerError):
    """A results folder holds something that this program did not write."""

    code = ExitCode.RESULTS


class ResultsHeldError(TunerError):
    """A results folder is being written by another live search."""

    code = ExitCode.RESULTS


class StorageError(TunerError):
    """The results folder cannot be written (full disk, read-only, unreachable)."""

    code = ExitCode.STORAGE


class DivergedError(Exception):
    """A trial's loss, gradient or metric became NaN or infinite. Ends the trial, never the search."""


@dataclass(frozen=True)
class Problem:
    """One finding about a search file, printed as a compiler prints it.

    Attributes:
        message: One sentence, without a final full stop.
        source: Where it stands as people know it: the file's path as given, or ``--set lr=x``.
        line: Line in the file, from 1; None for an override or the file as a whole.
        column: Column in the line, from 1; None where line is None.
        text: The source line, without its newline; None where line is None.
        severity: ``error`` or ``warning``.
    """

    message: str
    source: str
    line: int | None = None
    column: int | None = None
    text: str | None = None
    severity: str = "error"

    def __str__(self) -> str:
        """Return ``source:line:column: severity: message``, then the source line and a caret."""
        position = "" if self.line is None else f":{self.line}:{self.column}"
        head = f"{self.source}{position}: {self.severity}: {self.message}"
        if self.text is None or self.column is None:
            return head
        # Tabs stay tabs in the caret's line, so that it stands under its column in every terminal.
        margin = "".join("\t" if character == "\t" else " " for character in self.text[: self.column - 1])
        return f"{head}\n  {self.text}\n  {margin}^"


class SearchFileError(UsageError):
    """A search file with at least one error; holds all of them, in the order of the file."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        """Args: problems: errors, and warnings found on the way; at least one error."""
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        """Return every problem, one after the other."""
        return "\n".join(str(problem) for problem in self.problems)


def relative_to_cwd(path: Path) -> str:
    """Return a path as short as people would type it: relative to the current folder where it lies below it.

    What lies in a working copy of object storage is known by its address there.
    """
    if (address := address_of(path)) is not None:
        return address
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, FileNotFoundError):  # the current folder may have been removed: a cluster clears those of jobs
        return str(path)
