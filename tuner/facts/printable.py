"""Texts of others as a terminal may be given them."""


def printable(text: str) -> str:
    """Return a text with spaces for line breaks and for sequences that would recolour or move the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def printable_lines(text: str) -> str:
    """Return a text of several lines, each as ``printable`` gives it."""
    return "\n".join(map(printable, text.split("\n")))
