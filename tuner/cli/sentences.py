"""Sentences on a terminal, which would break a long one in the middle of a word."""

from __future__ import annotations

import os
import textwrap
from typing import TextIO


def wrapped(text: str, width: int | None) -> str:
    """Return a text whose lines break at spaces, further lines indented; None leaves it as it is.

    Words that are longer than a line stay whole, so that paths and commands can be copied.
    """
    if width is None:
        return text
    fill = textwrap.TextWrapper(width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False).fill
    return "\n".join(fill(line) for line in text.splitlines())


def terminal_width(stream: TextIO) -> int | None:
    """Return the width of the terminal that a stream goes to; None where it goes elsewhere or nobody knows."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):  # no terminal, or no file at all
        return None
