"""The tables of results/README.md, made from the columns that the code writes.

``python -m tuner.leaderboard.document results/README.md`` brings the file up to date.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tuner.facts.records import EPOCH_COLUMNS, LEADERBOARD_COLUMNS, Column

TABLES: Mapping[str, Sequence[Column]] = {"leaderboard": LEADERBOARD_COLUMNS, "epochs": EPOCH_COLUMNS}


def up_to_date(text: str) -> str:
    """Return a Markdown text with each table between ``<!-- columns: NAME -->`` and ``<!-- end -->`` made anew."""
    for name, columns in TABLES.items():
        block = re.compile(rf"(<!-- columns: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = block.sub(lambda found, columns=columns: found[1] + table(columns) + found[2], text)  # type: ignore[misc]
    return text


def table(columns: Sequence[Column]) -> str:
    """Return columns as a Markdown table: name, pandas type, unit, meaning."""
    lines = ["| column | type | unit | meaning |", "| --- | --- | --- | --- |"]
    lines += [f"| `{item.name}` | {item.dtype} | {item.unit} | {item.meaning} |" for item in columns]
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        path.write_text(up_to_date(path.read_text(encoding="utf-8")), encoding="utf-8")
