"""Where things stand in a search file, and the findings about them, collected so that all are reported at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches

from tuner.facts.errors import Problem, SearchFileError


@dataclass(frozen=True)
class Place:
    """A position in the search file, or an option of the command line.

    Attributes:
        source: The file's path as given, or the option as typed, such as ``--set lr=x``.
        line: From 1; None for an option, or for the file as a whole.
        column: From 1; None where line is None.
        text: The source line; None where line is None.
    """

    source: str
    line: int | None = None
    column: int | None = None
    text: str | None = None

    @property
    def in_file(self) -> bool:
        """Return whether this is a position in the file."""
        return self.line is not None

    def inside(self, value: str, offset: int) -> Place:
        """Return the place of a character of a text that begins here, as far as its line shows the text as it is."""
        if self.text is None or self.column is None:
            return self
        begin = self.column - 1
        begin += self.text[begin : begin + 1] in ("'", '"')
        return replace(self, column=begin + offset + 1) if self.text[begin:].startswith(value) else self


class Reporter:
    """Collects problems while a search file is read."""

    def __init__(self) -> None:
        self._problems: list[Problem] = []

    def error(self, place: Place, message: str) -> None:
        """Note an error; reading goes on."""
        self._problems.append(Problem(message, **vars(place)))

    def warn(self, place: Place, message: str) -> None:
        """Note a warning."""
        self._problems.append(Problem(message, **vars(place), severity="warning"))

    @property
    def errors(self) -> int:
        """Return the number of errors so far."""
        return sum(problem.severity == "error" for problem in self._problems)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Return all problems in the order of the file, those of options after them."""
        return tuple(sorted(self._problems, key=lambda item: (item.line is None, item.line or 0, item.column or 0)))

    def raise_errors(self) -> None:
        """Raise SearchFileError with all problems if there is an error among them."""
        if self.errors:
            raise SearchFileError(self.problems)


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'max'?`` if a known word is close, one that begins with it above all, else nothing."""
    near = get_close_matches(word, list(known), n=5)
    near.sort(key=lambda candidate: not candidate.startswith(word))
    return f"; did you mean '{near[0]}'?" if near else ""
