"""Texts of others as a terminal may be given them."""

import re

#: What a terminal shows as it is meant: printable characters, colours, and the steps of a progress bar.
_HARMLESS = re.compile(r"(\x1b\[[0-9;]*m|[\n\r\t])")


def printable(text: str) -> str:
    """Return a text with spaces for line breaks and for sequences that would recolour or move the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def printable_lines(text: str) -> str:
    """Return a text of several lines, each as ``printable`` gives it."""
    return "\n".join(map(printable, text.split("\n")))


def only_coloured(text: str) -> str:
    """Return what a program printed, with colours and line ends, and spaces for all else that a terminal obeys."""
    parts = _HARMLESS.split(text)  # what is harmless stands at odd places
    return "".join(part if index % 2 else printable(part) for index, part in enumerate(parts))
